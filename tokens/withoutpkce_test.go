package tokens_test

import (
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

const webRedirect = "https://web.example.com/cb"

// TestWithoutPKCE: a web client may leave PKCE away, but a code is redeemed as it was
// asked for: neither side can drop the proof of the other. See RFC 9700 §2.1.1 and §4.8.2.
func TestWithoutPKCE(t *testing.T) {
	without := []string{"client_id", "web", "redirect_uri", webRedirect, "code_challenge", "", "code_challenge_method", ""}
	with := without[:4]
	for _, tt := range []struct {
		name     string
		ask      []string
		verifier string
		required bool // when the code is redeemed
		ok       bool
	}{
		{"S18: neither", without, "", false, true},
		{"S18: both", with, verifier, false, true},
		{"S18: challenge alone", with, "", false, false},
		{"S18: verifier alone", without, verifier, false, false},
		{"S18: required since", without, "", true, false},
		{"S18: required since, with a verifier", without, verifier, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			l, _ := g.signIn(alice)
			r := codeRequest(g.codeFor(l, tt.ask...))
			r.RedirectURI, r.CodeVerifier = webRedirect, tt.verifier
			g.cfg.Clients[3].PKCERequired = tt.required
			g.reload()
			res, err := g.token("web", r)
			if tt.ok {
				if err != nil || res.RefreshToken == "" {
					t.Errorf("%v", err)
				}
				return
			}
			refused(t, err, oauth.InvalidGrant, "")
			if r.CodeVerifier == "" && !tt.required { // it was looked at, so it is burned
				r.CodeVerifier = verifier
				_, err = g.token("web", r)
				refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
			}
		})
	}
}

// TestWhoNeedsPKCE: row O12: public clients do, a web client where that is configured, and
// who sends half of a challenge has meant it.
func TestWhoNeedsPKCE(t *testing.T) {
	for _, tt := range []struct {
		name, id, redirect string
		required           bool
		half               []string
		ok                 bool
	}{
		{name: "S18: web", id: "web", redirect: webRedirect, ok: true},
		{name: "S18: web, required", id: "web", redirect: webRedirect, required: true},
		{name: "S18: spa", id: "spa", redirect: spaRedirect},
		{name: "S18: native", id: "native", redirect: "com.example.app:/cb"},
		{name: "S18: web, a method alone", id: "web", redirect: webRedirect, half: []string{"code_challenge_method", "S256"}},
		{name: "S18: web, a challenge alone", id: "web", redirect: webRedirect, half: []string{"code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, func(c *tokens.Config) { c.Clients[3].PKCERequired = tt.required })
			v := withoutProof(request("client_id", tt.id, "redirect_uri", tt.redirect))
			for i := 0; i < len(tt.half); i += 2 {
				v.Set(tt.half[i], tt.half[i+1])
			}
			_, err := g.ParseAuthorization(t.Context(), v)
			if tt.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, oauth.InvalidRequest, "")
		})
	}
}

// S18: who goes without PKCE is counted and told.
func TestCodesWithoutPKCEAreTold(t *testing.T) {
	g := newGateway(t)
	l, _ := g.signIn(alice)
	g.codeFor(l, "client_id", "web", "redirect_uri", webRedirect)
	g.codeFor(l, "client_id", "web", "redirect_uri", webRedirect, "code_challenge", "", "code_challenge_method", "")
	for _, outcome := range []oauth.Outcome{oauth.OutcomeOK, oauth.OutcomeWithoutPKCE} {
		if n := g.events.count(oauth.EventCodeIssued, outcome); n != 1 {
			t.Errorf("%s: %d times", outcome, n)
		}
	}
}

// TestWithoutPKCEBindsTheCode: dpop_jkt counts for a client without PKCE, too.
func TestWithoutPKCEBindsTheCode(t *testing.T) {
	g := newGateway(t)
	key := jose.Thumbprint{1}
	ask := []string{
		"client_id", "web", "redirect_uri", webRedirect, "code_challenge", "", "code_challenge_method", "", "dpop_jkt", key.String(),
	}
	l, _ := g.signIn(alice)
	r := codeRequest(g.codeFor(l, ask...))
	r.RedirectURI, r.CodeVerifier = webRedirect, ""
	_, err := g.token("web", r)
	refused(t, err, oauth.InvalidGrant, oauth.ReasonBinding)
	r = codeRequest(g.codeFor(l, ask...))
	r.RedirectURI, r.CodeVerifier, r.Sender.Key = webRedirect, "", key
	if _, err := g.token("web", r); err != nil {
		t.Error(err)
	}
	_, err = g.ParseAuthorization(t.Context(), withoutProof(request("client_id", "web", "redirect_uri", webRedirect, "dpop_jkt", "no")))
	refused(t, err, oauth.InvalidRequest, "")
}

func withoutProof(v url.Values) url.Values {
	v.Del("code_challenge")
	v.Del("code_challenge_method")
	return v
}
