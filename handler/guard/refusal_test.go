package guard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// listener notes what a guard tells.
type listener struct {
	verdicts []oauth.Reason
	events   []oauth.Event
}

func (l *listener) Happened(_ context.Context, e oauth.Event) { l.events = append(l.events, e) }

func (l *listener) Checked(reason oauth.Reason) { l.verdicts = append(l.verdicts, reason) }

// TestRefusalsAreTold: G10: each refused token is one verdict of its own and one event, which
// says what the token has, what the route wants and the option that says so. A
// request without a token is a verdict, and no event.
func TestRefusalsAreTold(t *testing.T) {
	tests := []struct {
		name, claims string
		change       func(*Config)
		verdict      oauth.Reason
		sent         string
		registered   string
		option       string
	}{
		{"audience", `{"aud":"https://other.example"}`, nil, oauth.ReasonWrongAudience, "https://other.example", testAPI, "audience"},
		{"claim", `{"org":"umbrella"}`, func(c *Config) { c.Claims = []ClaimRule{{Claim: "org", Values: []string{"acme"}}} }, oauth.ReasonClaim, "umbrella", "acme", "claim org"},
		{"claim absent", ``, func(c *Config) { c.Claims = []ClaimRule{{Claim: "org", Values: []string{"acme"}}} }, oauth.ReasonClaim, "", "acme", "claim org"},
		{
			"H5 an address that nobody has verified", `{"email":"admin@example.com","email_verified":false}`,
			func(c *Config) { c.Claims = []ClaimRule{{Claim: "email", Values: []string{"admin@example.com"}}} }, oauth.ReasonClaim, "", "admin@example.com", "claim email",
		},
		{"scope", `{"scope":"orders:read"}`, func(c *Config) { c.Scopes = []string{"orders:write"} }, oauth.ReasonScope, "orders:read", "orders:write", "scope"},
		{"one of some scopes", `{"scope":""}`, func(c *Config) { c.ScopeAny = []string{"a", "b"} }, oauth.ReasonScope, "", "b", "scope_any"},
		{"acr", `{"acr":"0"}`, func(c *Config) { c.StepUp.ACR = []string{"mfa"} }, oauth.ReasonStepUp, "0", "mfa", "acr"},
		{"max_age", `{"auth_time":1}`, func(c *Config) { c.StepUp.MaxAge = time.Hour }, oauth.ReasonStepUp, "1970-01-01T00:00:01Z", "1h0m0s", "max_age"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			heard := new(listener)
			g := newTestGuard(t, checker{"odd": claimsOf(t, test.claims)}, func(c *Config) {
				c.Observer = heard
				if test.change != nil {
					test.change(c)
				}
			})
			send(g, "Bearer odd")
			if !slices.Equal(heard.verdicts, []oauth.Reason{test.verdict}) || len(heard.events) != 1 {
				t.Fatalf("verdicts %v, events %+v", heard.verdicts, heard.events)
			}
			e := heard.events[0]
			if e.Kind != oauth.EventAccessRefused || e.Outcome != oauth.Outcome(test.verdict) || e.API != testAPI || e.Client != "spa" || e.Subject != "local|bob" {
				t.Errorf("event %+v", e)
			}
			if m := e.Mismatch; m == nil || m.Sent != test.sent || m.Option != test.option || !slices.Contains(m.Registered, test.registered) {
				t.Errorf("mismatch %+v", m)
			}
		})
	}
	for _, test := range []struct {
		name, header string
		verdict      oauth.Reason
		events       int
	}{
		{"no token", "", oauth.ReasonNoToken, 0},
		{"another scheme", "Basic eDp5", oauth.ReasonNoToken, 0},
		{"store", "Bearer store-down", oauth.ReasonStore, 0}, // which is told as trouble
		{"bad token", "Bearer bad", oauth.ReasonBadSignature, 1},
		{"malformed", "Bearer a b", oauth.ReasonMalformed, 1},
		{"good", "Bearer good", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			heard := new(listener)
			send(newTestGuard(t, nil, func(c *Config) { c.Observer = heard }), test.header)
			if !slices.Equal(heard.verdicts, []oauth.Reason{test.verdict}) || len(heard.events) != test.events {
				t.Fatalf("verdicts %v, events %+v", heard.verdicts, heard.events)
			}
			for _, e := range heard.events {
				if e.Cause == nil || strings.Contains(e.Cause.Error(), "bad") && test.name == "bad token" {
					t.Errorf("the log says %v", e.Cause)
				}
			}
		})
	}
}

// send sends a request through a guard, whatever comes of it.
func send(g *Guard, authorization string) {
	r := httptest.NewRequest(http.MethodGet, ordersURL, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	_, _ = g.Check(httptest.NewRecorder(), r) // the observer hears of it
}
