package tokens_test

import (
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestWithoutPKCE: a confidential client that is excused may leave PKCE away,
// but a code is redeemed as it was asked for: neither side can drop the proof
// of the other. See RFC 9700 §2.1.1 and §4.8.2.
func TestWithoutPKCE(t *testing.T) {
	const redirect = "https://web.example.com/cb"
	without := []string{"client_id", "web", "redirect_uri", redirect, "code_challenge", "", "code_challenge_method", ""}
	with := without[:4]
	for _, tt := range []struct {
		name     string
		ask      []string
		verifier string
		excused  bool // when the code is redeemed
		ok       bool
	}{
		{"neither", without, "", true, true},
		{"both", with, verifier, true, true},
		{"challenge alone", with, "", true, false},
		{"verifier alone", without, verifier, true, false},
		{"excuse withdrawn", without, "", false, false},
		{"excuse withdrawn, with a verifier", without, verifier, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, func(c *tokens.Config) { c.Clients[3].WithoutPKCE = true })
			l, _ := g.signIn(alice)
			r := codeRequest(g.codeFor(l, tt.ask...))
			r.RedirectURI, r.CodeVerifier = redirect, tt.verifier
			g.cfg.Clients[3].WithoutPKCE = tt.excused
			g.reload()
			res, err := g.token("web", r)
			if tt.ok {
				if err != nil || res.RefreshToken == "" {
					t.Errorf("%v", err)
				}
				return
			}
			refused(t, err, oauth.InvalidGrant, "")
			if r.CodeVerifier == "" && tt.excused { // it was looked at, so it is burned
				r.CodeVerifier = verifier
				_, err = g.token("web", r)
				refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
			}
		})
	}
	g := newGateway(t)
	for _, id := range []string{"web", "spa"} {
		v := request("client_id", id, "redirect_uri", map[string]string{"web": redirect, "spa": spaRedirect}[id])
		_, err := g.ParseAuthorization(withoutProof(v))
		refused(t, err, oauth.InvalidRequest, "")
	}
}

// TestWithoutPKCEBindsTheCode: dpop_jkt counts for a client that is excused, too.
func TestWithoutPKCEBindsTheCode(t *testing.T) {
	const redirect = "https://web.example.com/cb"
	g := newGateway(t, func(c *tokens.Config) { c.Clients[3].WithoutPKCE = true })
	key := jose.Thumbprint{1}
	ask := []string{
		"client_id", "web", "redirect_uri", redirect, "code_challenge", "", "code_challenge_method", "", "dpop_jkt", key.String(),
	}
	l, _ := g.signIn(alice)
	r := codeRequest(g.codeFor(l, ask...))
	r.RedirectURI, r.CodeVerifier = redirect, ""
	_, err := g.token("web", r)
	refused(t, err, oauth.InvalidGrant, oauth.ReasonBinding)
	r = codeRequest(g.codeFor(l, ask...))
	r.RedirectURI, r.CodeVerifier, r.Sender.Key = redirect, "", key
	if _, err := g.token("web", r); err != nil {
		t.Error(err)
	}
	_, err = g.ParseAuthorization(withoutProof(request("client_id", "web", "redirect_uri", redirect, "dpop_jkt", "no")))
	refused(t, err, oauth.InvalidRequest, "")
}

func withoutProof(v url.Values) url.Values {
	v.Del("code_challenge")
	v.Del("code_challenge_method")
	return v
}
