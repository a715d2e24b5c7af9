package tokens_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// S12: `https://mcp.test/` and `https://mcp.test` are one API at every grant, and
// its tokens have the audience as it is configured.
func TestResourceWithAndWithoutSlash(t *testing.T) {
	for _, tt := range []struct{ name, configured, asked string }{
		{"configured without", "https://mcp.test", "https://mcp.test/"},
		{"configured with", "https://mcp.test/", "https://mcp.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, func(c *tokens.Config) {
				c.APIs = append(c.APIs, &clients.API{Identifier: tt.configured, Scopes: []string{"mcp"}, AllowOfflineAccess: true, AccessTokenLifetime: c.UserinfoTokenLifetime})
				for _, client := range c.Clients {
					client.APIs = append(client.APIs, tt.configured)
					if len(client.Scopes) > 0 {
						client.Scopes = append(client.Scopes, "mcp")
					}
				}
			})
			check := func(res *tokens.TokenResponse) {
				t.Helper()
				claims, err := g.CheckAccess(t.Context(), res.AccessToken)
				if err != nil {
					t.Fatal(err)
				}
				if len(claims.Audience) != 1 || claims.Audience[0] != tt.configured || res.Scope == "" {
					t.Errorf("audience %q, scope %q", claims.Audience, res.Scope)
				}
			}
			for _, parameter := range []string{"resource", "audience"} {
				r := codeRequest(g.code("audience", "", "scope", "openid offline_access mcp", parameter, tt.asked))
				r.Audiences = []string{tt.asked, tt.configured}
				res := g.mustToken("spa", r)
				check(res)
				next := refreshRequest(res.RefreshToken)
				next.Audiences = []string{tt.asked}
				check(g.mustToken("spa", next))
			}
			check(g.mustToken("machine", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials, Audiences: []string{tt.asked}, Scope: "mcp"}))
			_, err := g.ParseAuthorization(t.Context(), request("resource", "https://mcp.test.example/"))
			refused(t, err, oauth.InvalidTarget, "")
		})
	}
}

// An API of the configuration is not the API that it lies below, for a client that does not have it.
func TestH11ResourceOfAnotherAPI(t *testing.T) {
	admin := ordersAPI + "/admin"
	g := newGateway(t, func(c *tokens.Config) {
		c.APIs = append(c.APIs, &clients.API{Identifier: admin, Scopes: []string{"orders:read"}, AllowOfflineAccess: true, AccessTokenLifetime: c.UserinfoTokenLifetime})
	})
	for _, asked := range []string{admin, admin + "/", admin + "/users"} {
		_, err := g.ParseAuthorization(t.Context(), request("audience", "", "resource", asked))
		refused(t, err, oauth.InvalidTarget, "")
		r := refreshRequest(g.login().RefreshToken)
		r.Audiences = []string{asked}
		_, err = g.token("spa", r)
		refused(t, err, oauth.InvalidTarget, "")
	}
	a, err := g.ParseAuthorization(t.Context(), request("audience", "", "resource", ordersAPI+"/administration"))
	if err != nil || len(a.Audiences) != 1 || a.Audiences[0] != ordersAPI {
		t.Errorf("what lies below the client's own API: %v", err)
	}
}
