package tokens_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestH1LoginGone: the people of a provider's login that is gone, or is another one
// under the old name, are refused wherever they come, and a new sign-in ends the
// old things.
func TestH1LoginGone(t *testing.T) {
	other := storage.Fingerprint{0xc1}
	for name, now := range map[string]accounts{
		"gone":           {storage.TagSubject(alice.Subject): alice.Fingerprint},
		"another issuer": {storage.TagSubject(alice.Subject): alice.Fingerprint, {}: other},
		"nobody":         {},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			bob := tokens.Profile{Subject: "company|00u1", Login: "company", Fingerprint: company, Claims: map[string]any{"name": "Bob"}}
			l, cookie := g.signIn(bob)
			res := g.refreshOK(g.mustToken("spa", codeRequest(g.codeFor(l))).RefreshToken)
			code := g.codeFor(l)
			claims, err := g.CheckAccess(t.Context(), res.AccessToken)
			if err != nil || !g.signedIn(cookie) {
				t.Fatal(err)
			}
			g.cfg.Accounts = now
			g.reload()
			g.refusedRefresh(res.RefreshToken, oauth.ReasonUserChanged)
			if g.signedIn(cookie) {
				t.Error("the session is good")
			}
			_, err = g.token("spa", codeRequest(code))
			refused(t, err, oauth.InvalidGrant, oauth.ReasonUserChanged)
			if info, err := g.UserInfo(t.Context(), claims); !oauth.IsReason(err, oauth.ReasonUserChanged) {
				t.Errorf("userinfo %v, %v", info, err)
			}
			if now[storage.UserTag{}] != other {
				return
			}
			bob.Fingerprint = other
			g.signIn(bob)
			g.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
			if g.passes(res.AccessToken) {
				t.Error("an access token of the other issuer passes")
			}
		})
	}
}

// staff is a directory with one group, of the company's people who are in its group staff,
// and of alice.
func staff(c *tokens.Config) {
	c.People = people.NewDirectory(people.Config{Groups: []people.Group{
		{Name: "staff", From: []people.Source{{Login: "company", Name: "/staff"}}, Members: []string{alice.Subject}},
	}})
}

// for returns a change of the configuration: whom the SPA is for.
func forGroups(rule ...[]string) func(*tokens.Config) {
	return func(c *tokens.Config) {
		for _, client := range c.Clients {
			if client.ID == "spa" {
				client.For = rule
			}
		}
	}
}

// bringing signs carol in with groups of her provider.
func (g *gateway) bringing(groups ...string) *tokens.Login {
	g.t.Helper()
	l, _, err := g.SignInProvided(g.t.Context(), tokens.Provided{Profile: carol, Groups: groups}, "")
	if err != nil {
		g.t.Fatal(err)
	}
	return l
}

// TestC1GroupLost: somebody loses the group that the application is for, and a refresh is refused
// without spending anything; they get it back, and the same refresh token is good.
func TestC1GroupLost(t *testing.T) {
	g := newGateway(t, staff, forGroups([]string{"staff"}))
	token := g.refreshOK(g.exchanged(g.codeFor(g.bringing("/staff"))).RefreshToken).RefreshToken
	g.pass(time.Minute)
	lost := g.bringing("other", "staff") // another name there is another group
	for range 2 {
		g.pass(time.Minute) // beyond every leeway
		g.refusedRefresh(token, oauth.ReasonNotAllowed)
	}
	if n := g.events.count(oauth.EventRefresh, oauth.Outcome(oauth.ReasonNotAllowed)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	a, err := g.ParseAuthorization(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.NextStep(t.Context(), a, lost, tokens.Progress{Fresh: true})
	refused(t, err, oauth.AccessDenied, oauth.ReasonNotAllowed)
	code := g.codeFor(g.bringing("/staff"))
	g.refreshOK(token)
	g.bringing()
	_, err = g.token("spa", codeRequest(code))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonNotAllowed)
	// The configuration alone says yes: nothing is asked of the store.
	g.refreshOK(g.login().RefreshToken)
}

// M13, S7: a scope that is for a group: asked and never had is not granted; had and lost is
// left out, and comes back; what is left may be nothing.
func TestM13ScopeRules(t *testing.T) {
	g := newGateway(t, staff, func(c *tokens.Config) {
		for _, api := range c.APIs {
			if api.Identifier == ordersAPI {
				api.ScopeFor = map[string]people.Rule{"orders:write": {{"staff"}}}
			}
		}
	})
	scopes := func(res *tokens.TokenResponse) string {
		_, claims := parts(t, res.AccessToken)
		if claims["scope"] != res.Scope {
			t.Errorf("the token has %v, the answer says %v", claims["scope"], res.Scope)
		}
		return res.Scope
	}
	asked := []string{"scope", "openid offline_access orders:read orders:write"}
	res := g.exchanged(g.codeFor(g.bringing("/staff"), asked...))
	if got := scopes(res); got != "openid offline_access orders:read orders:write" {
		t.Errorf("staff gets %q", got)
	}
	never := g.exchanged(g.codeFor(g.bringing(), asked...))
	if got := scopes(never); got != "openid offline_access orders:read" {
		t.Errorf("others get %q", got)
	}
	res = g.refreshOK(res.RefreshToken)
	if got := scopes(res); got != "openid offline_access orders:read" {
		t.Errorf("after the group was lost: %q", got)
	}
	r := refreshRequest(res.RefreshToken)
	r.Scope = "orders:write"
	res = g.mustToken("spa", r)
	if got := scopes(res); got != "" {
		t.Errorf("the lost scope alone: %q", got)
	}
	g.bringing("/staff")
	res = g.refreshOK(res.RefreshToken)
	if got := scopes(res); got != "openid offline_access orders:read orders:write" {
		t.Errorf("once it is back: %q", got)
	}
	r = refreshRequest(never.RefreshToken)
	r.Scope = "orders:write"
	_, err := g.token("spa", r)
	refused(t, err, oauth.InvalidScope, oauth.ReasonScope)
}

// Groups and claims leave where the configuration lets them: in the access tokens of an API
// by token_claims, in ID tokens and userinfo by scope groups.
func TestTokenClaims(t *testing.T) {
	g := newGateway(t, staff, func(c *tokens.Config) {
		for _, api := range c.APIs {
			if api.Identifier == ordersAPI {
				api.TokenClaims = []string{"groups", "email", "department"}
			}
		}
	})
	res := g.login("scope", "openid groups orders:read")
	_, claims := parts(t, res.AccessToken)
	if fmt.Sprint(claims["groups"]) != "[staff]" || claims["email"] != "alice@example.com" || claims["email_verified"] != true || claims["department"] != nil {
		t.Errorf("access token %v", claims)
	}
	if !g.passes(res.AccessToken) {
		t.Error("the token is not good")
	}
	if _, claims = parts(t, res.IDToken); fmt.Sprint(claims["groups"]) != "[staff]" {
		t.Errorf("ID token %v", claims)
	}
	_, claims = parts(t, g.exchanged(g.codeFor(g.bringing("/staff", "/x"), "audience", billingAPI, "scope", "openid billing:read")).AccessToken)
	if claims["groups"] != nil || claims["email"] != nil {
		t.Errorf("the access token of another API %v", claims)
	}
}
