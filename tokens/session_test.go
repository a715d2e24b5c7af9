package tokens_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func (g *gateway) signedIn(cookie string) bool {
	g.t.Helper()
	l, err := g.CurrentLogin(g.t.Context(), cookie)
	if err != nil {
		g.t.Fatal(err)
	}
	return l != nil
}

func TestSession(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name string
		do   func(g *gateway, cookie string)
		want bool
	}{
		{"at once", func(*gateway, string) {}, true},
		{"used within the idle lifetime", func(g *gateway, c string) {
			g.pass(2 * day)
			g.signedIn(c)
			g.pass(2 * day)
		}, true},
		{"idle", func(g *gateway, _ string) { g.pass(3*day + time.Second) }, false},
		{"absolute end", func(g *gateway, c string) {
			for range 7 {
				g.signedIn(c)
				g.pass(day + time.Second)
			}
		}, false},
		{"signed out", func(g *gateway, c string) {
			if err := g.SignOut(g.t.Context(), c); err != nil {
				g.t.Fatal(err)
			}
		}, false},
		{"LOG-09 password changed", func(g *gateway, _ string) {
			g.cfg.Accounts = accounts{storage.TagSubject(alice.Subject): storage.FingerprintOf("$2a$new")}
			g.reload()
		}, false},
		{"user ended", func(g *gateway, _ string) {
			if _, err := g.EndUser(g.t.Context(), alice.Subject); err != nil {
				g.t.Fatal(err)
			}
		}, false},
		{"WEB-13 the same browser signs in again", func(g *gateway, c string) {
			if _, _, err := g.SignIn(g.t.Context(), alice, c); err != nil {
				g.t.Fatal(err)
			}
		}, false},
		{"another person signs in", func(g *gateway, c string) {
			if _, _, err := g.SignIn(g.t.Context(), tokens.Profile{Subject: "local|bob", Login: "local"}, c); err != nil {
				g.t.Fatal(err)
			}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t)
			_, cookie := g.signIn(alice)
			tt.do(g, cookie)
			if got := g.signedIn(cookie); got != tt.want {
				t.Errorf("signed in: %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("garbage", func(t *testing.T) {
		g := newGateway(t)
		for _, c := range []string{"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
			if g.signedIn(c) {
				t.Errorf("signed in by %q", c)
			}
		}
	})
}

// TestSignOutEndsApplications covers WEB-18 and RT-15: logging out ends the
// refresh and access tokens that came from the session, and no others.
func TestSignOutEndsApplications(t *testing.T) {
	g := newGateway(t)
	here, cookie := g.signIn(alice)
	mine := g.mustToken("spa", codeRequest(g.codeFor(here)))
	other := g.login() // on another device
	if err := g.SignOut(t.Context(), cookie); err != nil {
		t.Fatal(err)
	}
	g.refusedRefresh(mine.RefreshToken, oauth.ReasonUnknown)
	if g.passes(mine.AccessToken) {
		t.Error("the access token passes after logout")
	}
	g.refreshOK(other.RefreshToken)
	if !g.passes(other.AccessToken) {
		t.Error("logout on one device ended another's access token")
	}
}

// TestSignInAgainKeepsApplications: signing in again in the same browser does
// not log the applications out that the old session had signed in.
func TestSignInAgainKeepsApplications(t *testing.T) {
	g := newGateway(t)
	l, cookie := g.signIn(alice)
	res := g.mustToken("spa", codeRequest(g.codeFor(l)))
	if _, _, err := g.SignIn(t.Context(), alice, cookie); err != nil {
		t.Fatal(err)
	}
	g.refreshOK(res.RefreshToken)
}

func TestSignOutHint(t *testing.T) {
	g := newGateway(t)
	res := g.login()
	g.pass(11 * time.Hour) // an expired hint is fine
	hint, err := g.ParseLogoutHint(res.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SignOutHint(t.Context(), hint); err != nil {
		t.Fatal(err)
	}
	g.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
	for _, bad := range []string{"", "a.b.c", res.AccessToken, res.RefreshToken} {
		if _, err := g.ParseLogoutHint(bad); err == nil {
			t.Error("a token that is no ID token was taken as hint")
		}
	}
}

// TestEndUserAndLoginInThatSecond: a login in the very second of a sign-out
// works, and what was issued before does not.
func TestEndUserAndLoginInThatSecond(t *testing.T) {
	g := newGateway(t)
	before := g.login()
	if _, err := g.EndUser(t.Context(), alice.Subject); err != nil {
		t.Fatal(err)
	}
	after := g.login()
	if g.passes(before.AccessToken) {
		t.Error("a token from before the sign-out passes")
	}
	if !g.passes(after.AccessToken) {
		t.Error("a login after the sign-out is denied")
	}
	g.refreshOK(after.RefreshToken)
}
