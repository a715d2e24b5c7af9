package tokens_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestDefaultAPI: a request that names no API is for the default one, if its
// client may use that; without a default it is for the gateway's userinfo.
func TestDefaultAPI(t *testing.T) {
	const userinfo = issuerURL + "userinfo"
	for _, tt := range []struct {
		name      string
		api       int // the default; -1 for none
		client    string
		overrides []string
		audience  string
		scope     string
		refresh   bool
	}{
		{"named", 1, "spa", nil, ordersAPI, "openid profile email offline_access orders:read", true},
		{"default", 0, "spa", []string{"audience", ""}, ordersAPI, "openid profile email offline_access orders:read", true},
		{"default without offline access", 1, "spa", []string{"audience", "", "scope", "openid offline_access billing:read"}, billingAPI, "openid billing:read", false},
		{"default that the client may not use", 1, "native", []string{"audience", "", "client_id", "native", "redirect_uri", "com.example.app:/cb"}, userinfo, "openid profile email offline_access", true},
		{"none", -1, "spa", []string{"audience", ""}, userinfo, "openid profile email offline_access", true},
		{"default counts as an audience for a client that is not conformant", 0, "legacy", []string{"audience", "", "client_id", "legacy"}, ordersAPI, "openid profile email offline_access orders:read", true},
		{"none for a client that is not conformant", -1, "legacy", []string{"audience", "", "client_id", "legacy"}, userinfo, "openid profile email", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, func(c *tokens.Config) {
				if tt.api >= 0 {
					c.APIs[tt.api].Default = true
				}
			})
			r := codeRequest(g.code(tt.overrides...))
			if i := slices.Index(tt.overrides, "redirect_uri"); i >= 0 {
				r.RedirectURI = tt.overrides[i+1]
			}
			check := func(res *tokens.TokenResponse) {
				t.Helper()
				claims, err := g.CheckAccess(t.Context(), res.AccessToken)
				if err != nil || !slices.Equal(claims.Audience, []string{tt.audience}) || res.Scope != tt.scope || (res.RefreshToken != "") != tt.refresh {
					t.Errorf("aud %v, scope %q, refresh token %t, %v", claims.Audience, res.Scope, res.RefreshToken != "", err)
				}
			}
			first := g.mustToken(tt.client, r)
			check(first)
			if !tt.refresh {
				return
			}
			for _, api := range g.cfg.APIs { // what was granted stays, whatever the default is now
				api.Default = false
			}
			g.reload()
			check(g.mustToken(tt.client, refreshRequest(first.RefreshToken)))
		})
	}
	t.Run("client credentials", func(t *testing.T) {
		g := newGateway(t, func(c *tokens.Config) {
			c.Clients[4].APIs = []string{billingAPI, ordersAPI}
		})
		_, err := g.token("machine", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
		refused(t, err, oauth.InvalidRequest, "")
		g.cfg.APIs[0].Default = true
		g.reload()
		res := g.mustToken("machine", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
		if res.Scope != "orders:read" {
			t.Errorf("scope %q", res.Scope)
		}
	})
	t.Run("device", func(t *testing.T) {
		g := newGateway(t, withTV, func(c *tokens.Config) { c.APIs[0].Default = true })
		l, _ := g.signIn(alice)
		d, err := g.AuthorizeDevice(t.Context(), g.client("tv"), tvScope, nil)
		if err != nil {
			t.Fatal(err)
		}
		g.approve(d, l)
		res, err := g.poll(d)
		if err != nil || res.Scope != tvScope {
			t.Fatalf("%+v, %v", res, err)
		}
		if claims, err := g.CheckAccess(t.Context(), res.AccessToken); err != nil || !slices.Equal(claims.Audience, []string{ordersAPI}) {
			t.Errorf("aud %v, %v", claims, err)
		}
	})
}
