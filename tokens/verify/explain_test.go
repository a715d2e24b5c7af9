package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestRefusalsAreExplained: G10: the reason of a refusal is the true one, and the log
// says what is wrong, which issuers are known, and which option says so.
func TestRefusalsAreExplained(t *testing.T) {
	b := newForeignBench(t)
	own := newTokenBench(t)
	route := b.route(b.configA(func(*ForeignConfig) {}), b.configB())
	strict := b.route(b.configA(func(c *ForeignConfig) { c.AcceptJWT = false }))
	members := make(map[string]any)
	for i := range 257 {
		members[fmt.Sprint("m", i)] = i
	}
	type h = map[string]any
	tests := []struct {
		name, token string
		verifier    *Verifier
		reason      oauth.Reason
		sent        string
		registered  string // one of them
		option      string
		why         string
	}{
		{"issuer without its slash", b.a.mint(nil, h{"iss": "https://a.example.com"}), route, oauth.ReasonWrongIssuer, "https://a.example.com", "https://a.example.com/", "issuer", "invalid or has expired"},
		{"issuer without its slash, typ JWT", b.a.mint(h{"typ": "JWT"}, h{"iss": "https://a.example.com"}), route, oauth.ReasonWrongIssuer, "https://a.example.com", "https://b.example.com/", "issuer", ""},
		{"unknown issuer, no aud", b.a.mint(nil, h{"iss": "https://c.example.com/", "aud": nil}), route, oauth.ReasonWrongIssuer, "https://c.example.com/", testIssuer, "issuer", ""},
		{"unknown issuer, at a route of our own tokens", b.a.mint(h{"typ": "JWT"}, nil), own.verifier, oauth.ReasonWrongIssuer, "https://a.example.com/", testIssuer, "issuer", ""},
		{"typ JWT", b.a.mint(h{"typ": "JWT"}, nil), strict, oauth.ReasonWrongType, "JWT", "at+jwt", "typ", ""},
		{"own ID token", own.mint(h{"typ": "JWT"}, nil), own.verifier, oauth.ReasonWrongType, "JWT", "at+jwt", "", ""},
		{"no aud", b.a.mint(nil, h{"aud": nil}), route, oauth.ReasonWrongAudience, "", "", "", "no aud"},
		{"no exp", b.a.mint(nil, h{"exp": nil}), route, oauth.ReasonClaim, "", "", "", "no exp"},
		{"iss in a list", b.a.mint(nil, h{"iss": []string{"https://a.example.com/"}}), route, oauth.ReasonClaim, "", "", "", "iss"},
		{"own with jku", own.mint(h{"jku": "https://a.example.com/jwks"}, nil), own.verifier, oauth.ReasonTokenHeader, "", "", "", "jku"},
		{"crit", b.a.mint(h{"crit": []string{"x"}}, nil), route, oauth.ReasonTokenHeader, "", "", "", "crit"},
		{"ID token", b.a.mint(h{"typ": "JWT"}, h{"nonce": "n"}), route, oauth.ReasonWrongType, "", "", "", "allow_id_tokens"},
		{"no sub", b.a.mint(nil, h{"sub": nil}), route, oauth.ReasonClaim, "", "", "", "subject_claim"},
		{"257 members", b.a.mint(nil, members), route, oauth.ReasonTooLarge, "", "", "", "256 members"},
		{"9 KB", b.a.mint(nil, h{"x": strings.Repeat("x", 9<<10)}), route, oauth.ReasonTooLarge, "", "", "", "8192"},
		{"opaque", "mF_9.B5f-4.1JqM.x", route, oauth.ReasonMalformed, "", "", "", "signed JWT"},
		{"a member twice", own.sign(own.json(own.header(nil)), `{"iss":"a","iss":"b"}`), own.verifier, oauth.ReasonMalformed, "", "", "", "payload"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.verifier.Verify(test.token)
			e, ok := errors.AsType[*oauth.Error](err)
			if !ok || e.Reason != test.reason || e.Description != errClaim.Description {
				t.Fatalf("refused with %v, want %s", err, test.reason)
			}
			m := e.Mismatch
			if m == nil {
				m = new(oauth.Mismatch)
			}
			if m.Sent != test.sent || m.Option != test.option || test.registered != "" && !slices.Contains(m.Registered, test.registered) {
				t.Errorf("mismatch %+v", m)
			}
			if why := e.Why(); why == nil || !strings.Contains(why.Error(), test.why) {
				t.Errorf("the log says %v, want it to name %q", why, test.why)
			}
		})
	}
}
