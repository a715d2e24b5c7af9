package tokens_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// S7: clients refresh with the scope text of their sign-in. What the server dropped
// from it then it drops again; a scope that it would have granted is refused.
func TestRefreshWithTheScopeOfTheSignIn(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config) {
		narrow := *c.Clients[0]
		narrow.ID, narrow.Scopes = "narrow", []string{"orders:read"}
		c.Clients = append(c.Clients, &narrow)
	})
	for _, tt := range []struct{ name, client, scope, want string }{
		{"unknown", "spa", "openid offline_access orders:read User.Read", "openid offline_access orders:read"},
		{"of another API", "spa", "openid offline_access orders:read billing:read", "openid offline_access orders:read"},
		{"not the client's", "narrow", "openid offline_access orders:read orders:write", "openid offline_access orders:read"},
		{"written twice", "spa", "  openid orders:read offline_access orders:read  address ", "openid offline_access orders:read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := g.mustToken(tt.client, codeRequest(g.code("client_id", tt.client, "scope", tt.scope)))
			for range 2 {
				r := refreshRequest(res.RefreshToken)
				r.Scope = tt.scope
				res = g.mustToken(tt.client, r)
				if res.Scope != tt.want {
					t.Errorf("scope %q, want %q", res.Scope, tt.want)
				}
			}
			for _, more := range []string{tt.scope + " profile", "orders:write email", "nonsense"} {
				r := refreshRequest(res.RefreshToken)
				r.Scope = more
				_, err := g.token(tt.client, r)
				refused(t, err, oauth.InvalidScope, oauth.ReasonScope)
			}
		})
	}
}

// S25: a client whose refresh tokens are multi-resource gets tokens for its other
// APIs without a new sign-in. The grant stays as it is.
func TestMultiResourceRefresh(t *testing.T) {
	stockAPI := "https://stock.example.com"
	g := newGateway(t, func(c *tokens.Config) {
		c.APIs = append(c.APIs,
			&clients.API{Identifier: stockAPI, Scopes: []string{"stock:read", "stock:write", "stock:admin"}, AllowOfflineAccess: true, AccessTokenLifetime: c.UserinfoTokenLifetime},
			&clients.API{Identifier: "https://hr.example.com", Scopes: []string{"hr"}, AllowOfflineAccess: true, AccessTokenLifetime: c.UserinfoTokenLifetime})
		multi := *c.Clients[0]
		multi.ID, multi.APIs, multi.Refresh.MultiResource = "multi", []string{ordersAPI, billingAPI, stockAPI}, true
		multi.Scopes = []string{"orders:read", "stock:read", "stock:write", "billing:read"}
		single := multi
		single.ID, single.Refresh.MultiResource = "single", false
		c.Clients = append(c.Clients, &multi, &single)
	})
	login := func(client string) *tokens.TokenResponse {
		return g.mustToken(client, codeRequest(g.code("client_id", client, "scope", "openid profile offline_access orders:read")))
	}
	res := login("multi")
	for _, tt := range []struct {
		name     string
		audience string
		scope    string
		want     []string
		code     oauth.ErrorCode
	}{
		{"all that the client may have", stockAPI, "", []string{"offline_access", "openid", "profile", "stock:read", "stock:write"}, ""},
		{"a slash", stockAPI + "/", "stock:read", []string{"stock:read"}, ""},
		{"the scopes of all APIs, as SDKs send", stockAPI, "openid profile offline_access orders:read stock:read", []string{"offline_access", "openid", "profile", "stock:read"}, ""},
		{"never the API's others", stockAPI, "stock:read stock:admin", []string{"stock:read"}, ""},
		{"no more of the gateway's own", stockAPI, "stock:read email", nil, oauth.InvalidScope},
		{"the API of the sign-in", ordersAPI, "", []string{"offline_access", "openid", "orders:read", "profile"}, ""},
		{"no API named", "", "", []string{"offline_access", "openid", "orders:read", "profile"}, ""},
		{"an API without offline access", billingAPI, "", nil, oauth.InvalidTarget},
		{"no API of the client's", "https://hr.example.com", "", nil, oauth.InvalidTarget},
		{"no API", "https://nothing.example.com", "", nil, oauth.InvalidTarget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := refreshRequest(res.RefreshToken)
			r.Audiences, r.Scope = []string{tt.audience}, tt.scope
			next, err := g.token("multi", r)
			if tt.code != "" {
				refused(t, err, tt.code, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			res = next
			claims, err := g.CheckAccess(t.Context(), next.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(slices.Values(claims.Scope)); !slices.Equal(got, tt.want) || tt.audience != "" && !oauth.SameResource(claims.Audience[0], tt.audience) {
				t.Errorf("audience %v, scopes %v, want %v", claims.Audience, got, tt.want)
			}
		})
	}
	two := refreshRequest(res.RefreshToken)
	two.Audiences = []string{stockAPI, ordersAPI}
	_, err := g.token("multi", two)
	refused(t, err, oauth.InvalidTarget, "")
	single := refreshRequest(login("single").RefreshToken)
	single.Audiences = []string{stockAPI}
	_, err = g.token("single", single)
	refused(t, err, oauth.InvalidTarget, "")
}
