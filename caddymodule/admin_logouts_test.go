package caddymodule

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// H9: a sign-out of which an application will not be told any more is counted, and the list of
// those that wait says so.
func TestH9DroppedLogouts(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	list := func() string {
		t.Helper()
		out, warnings := g.ok("logouts", "list")
		if !strings.Contains(out, "no application has still to be told of a sign-out") {
			t.Error(out)
		}
		return warnings
	}
	before := list()
	serving.app().observer.Happened(t.Context(), oauth.Event{Kind: oauth.EventLogoutSent, Outcome: oauth.OutcomeDropped, User: [16]byte{1}})
	if after := list(); after == before || !strings.Contains(after, "given up since this server started") {
		t.Errorf("%q, and before %q", after, before)
	}
}
