package tokens_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// auth0Gateway has an API whose access tokens are as Auth0's, and ID tokens that are
// signed by the same key.
func auth0Gateway(t *testing.T, change ...func(*tokens.Config)) *gateway {
	t.Helper()
	g := newGateway(t, append(change, func(c *tokens.Config) {
		c.APIs[0].Profile, c.APIs[0].SigningAlg, c.IDTokenAlg = clients.ProfileAuth0, jose.RS256, "RS256"
	})...)
	g.configure(g.secrets("a"), keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256, jose.RS256}})
	if err := g.state.Keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

// parts returns the header and the claims of a token, unverified.
func parts(t *testing.T, token string) (header jose.Header, claims map[string]any) {
	t.Helper()
	c, err := jose.ParseCompact(token)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(c.Payload, &claims); err != nil {
		t.Fatal(err)
	}
	return c.Header, claims
}

// P9, S26: an API's access tokens have the form that its own library wants.
func TestTokenProfiles(t *testing.T) {
	g := auth0Gateway(t, func(c *tokens.Config) { c.Clients[4].APIs = []string{ordersAPI, billingAPI} })
	code := g.login()
	refreshed := g.refreshOK(code.RefreshToken)
	machine := g.mustToken("machine", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials, Audiences: []string{ordersAPI}})
	rfc9068 := g.mustToken("auditor", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
	fresh := verify.New(verify.Config{Issuer: issuerURL, Keys: g.state.Keys, Clock: g.clock}) // knows no token yet
	forPeople := []string{"acr", "aud", "auth_time", "azp", "exp", "gh_fam", "gh_pw", "iat", "iss", "jti", "scope", "sid", "sub", "token_use"}
	for _, tt := range []struct {
		name, token, typ, alg string
		claims                []string
	}{
		{"P9: code, auth0", code.AccessToken, "JWT", "RS256", forPeople},
		{"P9: refresh, auth0", refreshed.AccessToken, "JWT", "RS256", forPeople},
		{"P9: client credentials, auth0", machine.AccessToken, "JWT", "RS256", []string{"aud", "azp", "exp", "gty", "iat", "iss", "jti", "scope", "sub", "token_use"}},
		{"S26: rfc9068", rfc9068.AccessToken, "at+jwt", "ES256", []string{"aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, claims := parts(t, tt.token)
			if h.Typ != tt.typ || h.Alg != tt.alg || !slices.Equal(slices.Sorted(maps.Keys(claims)), tt.claims) {
				t.Errorf("header %+v, claims %v", h, claims)
			}
			for round, v := range map[string]*verify.Verifier{"as minted": g.Verifier(), "read again": fresh} {
				c, err := v.Verify(tt.token)
				if err != nil {
					t.Fatalf("%s: %v", round, err)
				}
				client, _ := c.Lookup("client_id")
				if c.ClientID == "" || client != c.ClientID || !c.HasTokenID {
					t.Errorf("%s: %+v, client_id %v", round, c, client)
				}
			}
			in, err := g.Introspect(t.Context(), g.client("machine"), tt.token)
			if err != nil || !in.Active || in.ClientID == "" {
				t.Errorf("introspection %+v, %v", in, err)
			}
		})
	}
	if _, claims := parts(t, machine.AccessToken); claims["azp"] != "machine" || claims["gty"] != "client-credentials" {
		t.Errorf("%v", claims)
	}
	if err := g.Revoke(t.Context(), g.client("machine"), machine.AccessToken); err != nil || g.passes(machine.AccessToken) {
		t.Errorf("revoked: %v", err)
	}
}

// P9: both kinds of token have the type JWT and one key, and neither passes for the
// other, even where an API has the name of a client.
func TestTokensOfOneTypeAreToldApart(t *testing.T) {
	const both = "https://orders.example.com"
	g := auth0Gateway(t, func(c *tokens.Config) { c.Clients[0].ID = both })
	res := g.mustToken(both, codeRequest(g.code("client_id", both)))
	id, idClaims := parts(t, res.IDToken)
	access, accessClaims := parts(t, res.AccessToken)
	if id != access || idClaims["aud"] != accessClaims["aud"] {
		t.Fatalf("they differ: %+v %+v", id, access)
	}
	if !g.passes(res.AccessToken) || g.passes(res.IDToken) {
		t.Error("the ID token passes, or the access token does not")
	}
	if in, err := g.Introspect(t.Context(), g.client("machine"), res.IDToken); err != nil || in.Active {
		t.Errorf("introspection %+v, %v", in, err)
	}
	if _, err := g.ParseLogoutHint(res.AccessToken); err == nil {
		t.Error("an access token is an id_token_hint")
	}
	if _, err := g.ParseLogoutHint(res.IDToken); err != nil {
		t.Error(err)
	}
}
