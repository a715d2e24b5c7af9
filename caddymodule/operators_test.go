package caddymodule

import (
	"strings"
	"testing"
)

// TestO2UsersAreListed: rows O2, O3 and O4: an operator sees who is there and signed in, at which
// time of which zone, and which version answers.
func TestO2UsersAreListed(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	out, _ := g.ok("users", "list")
	if strings.Contains(out, "local|alice") {
		t.Errorf("nobody has signed in: %s", out)
	}
	g.login()
	out, _ = g.ok("users", "list")
	for _, want := range []string{"LAST USED", " UTC ", "local|alice", "1 user"} {
		if !strings.Contains(out, want) {
			t.Errorf("users list has no %q: %s", want, out)
		}
	}
	if out, _ = g.ok("stats"); !strings.Contains(out, "version ") {
		t.Errorf("stats has no version: %s", out)
	}
}
