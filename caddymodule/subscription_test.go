package caddymodule

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
)

// An alarm with a slip in its name is refused; every event there is, and those of others, are good.
func TestSubscriptions(t *testing.T) {
	g := newGateway(t)
	global := func(events ...string) gatewayOptions {
		block := "events {\n"
		for _, e := range events {
			block += "\ton " + e + " oauth_webhook https://alerts.example.com/hook\n"
		}
		return gatewayOptions{Global: block + "}"}
	}
	if err := validateConfig(t, g.config(global(append(strings.Split(events.EventNames(), ", "), "cert_obtained", "oauth2.x")...))); err != nil {
		t.Error(err)
	}
	err := validateConfig(t, g.config(global("oauth.refresh_reused")))
	if err == nil || !strings.Contains(err.Error(), "events: on oauth.refresh_reused: there is no such event: write one of oauth.access_refused, oauth.admin, ") {
		t.Errorf("error %v", err)
	}
}
