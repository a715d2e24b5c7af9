package tokens_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TestSignOutAfterSigningInAgain: who has signed in again in a browser signs
// out of what came before as well; signing in again alone ends nothing.
func TestSignOutAfterSigningInAgain(t *testing.T) {
	for name, out := range map[string]func(g *gateway, cookie string, first *tokens.TokenResponse) error{
		"by the cookie": func(g *gateway, cookie string, _ *tokens.TokenResponse) error {
			return g.SignOut(g.t.Context(), cookie)
		},
		"by the first ID token": func(g *gateway, _ string, first *tokens.TokenResponse) error {
			hint, err := g.ParseLogoutHint(first.IDToken)
			if err != nil {
				return err
			}
			return g.SignOutHint(g.t.Context(), hint)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			l, cookie := g.signIn(alice)
			first := g.mustToken("spa", codeRequest(g.codeFor(l)))
			bare := g.mustToken("spa", codeRequest(g.codeFor(l, "scope", "openid orders:read")))
			pending := g.codeFor(l)
			l, again, err := g.SignIn(t.Context(), alice, cookie)
			if err != nil {
				t.Fatal(err)
			}
			second := g.mustToken("spa", codeRequest(g.codeFor(l)))
			first = g.refreshOK(first.RefreshToken)
			elsewhere := g.login()
			if !g.passes(bare.AccessToken) {
				t.Fatal("signing in again ended an access token")
			}
			if err := out(g, again, first); err != nil {
				t.Fatal(err)
			}
			for _, token := range []string{first.AccessToken, bare.AccessToken, second.AccessToken} {
				if g.passes(token) {
					t.Error("an access token outlives the logout")
				}
			}
			g.refusedRefresh(first.RefreshToken, oauth.ReasonUnknown)
			g.refusedRefresh(second.RefreshToken, oauth.ReasonUnknown)
			_, err = g.token("spa", codeRequest(pending))
			refused(t, err, oauth.InvalidGrant, "")
			if g.signedIn(again) {
				t.Error("the session outlives the logout")
			}
			g.refreshOK(elsewhere.RefreshToken)
		})
	}
}

// TestACRIsOfTheLogin: a stronger login in one browser does not lend its acr to
// tokens that came from a weaker one in another, nor the other way round.
func TestACRIsOfTheLogin(t *testing.T) {
	g := newGateway(t)
	strong := alice
	strong.ACR = "mfa"
	weakLogin, _ := g.signIn(alice)
	weak := g.mustToken("spa", codeRequest(g.codeFor(weakLogin)))
	strongLogin, cookie := g.signIn(strong)
	mighty := g.mustToken("spa", codeRequest(g.codeFor(strongLogin)))
	want := func(res *tokens.TokenResponse, acr string) {
		t.Helper()
		c, err := g.CheckAccess(t.Context(), res.AccessToken)
		if err != nil || c.ACR != acr {
			t.Errorf("acr %q (%v), want %q", c.ACR, err, acr)
		}
	}
	want(mighty, "mfa")
	weak = g.refreshOK(weak.RefreshToken)
	want(weak, "pwd")
	g.signIn(alice) // the profile is written anew
	want(g.refreshOK(mighty.RefreshToken), "mfa")
	want(g.mustToken("spa", codeRequest(g.codeFor(weakLogin))), "pwd")
	l, err := g.CurrentLogin(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	want(g.mustToken("spa", codeRequest(g.codeFor(l))), "mfa")
	// Signing in again with less, in the strong browser: what was there stays what it was.
	l, _, err = g.SignIn(t.Context(), alice, cookie)
	if err != nil {
		t.Fatal(err)
	}
	want(g.mustToken("spa", codeRequest(g.codeFor(l))), "pwd")
}

// TestLateSecondUseOfACode: a code that comes again after the store has
// forgotten it still ends what its first use began, and what it did not begin
// is no alarm.
func TestLateSecondUseOfACode(t *testing.T) {
	g := newGateway(t)
	code, unused := g.code(), g.code()
	first := g.mustToken("spa", codeRequest(code))
	other := g.login()
	for range 20 { // far beyond the life of any access token
		g.pass(10 * time.Minute)
		first, other = g.refreshOK(first.RefreshToken), g.refreshOK(other.RefreshToken)
	}
	_, err := g.token("spa", codeRequest(unused))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeUnknown)
	if n := g.events.count(oauth.EventCodeReuse, ""); n != 0 {
		t.Errorf("%d alarms for a code that nobody used", n)
	}
	_, err = g.token("spa", codeRequest(code))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	g.refusedRefresh(first.RefreshToken, oauth.ReasonUnknown)
	if g.passes(first.AccessToken) || g.events.count(oauth.EventCodeReuse, "") != 1 {
		t.Error("the second use did not end what the first had begun")
	}
	g.refreshOK(other.RefreshToken)
	_, err = g.token("spa", codeRequest(code))
	refused(t, err, oauth.InvalidGrant, "")
}
