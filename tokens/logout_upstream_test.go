package tokens_test

import (
	"maps"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// M8: a sign-out returns what the provider gave at that login, in the one call that ends it,
// and only to who wants it.
func TestM8GivenAtSignOut(t *testing.T) {
	n := newNode(t, onServer(redistest.Start(t), t), neverLag)
	want := tokens.Given{IDToken: "a.b.c", Login: "company", RefreshToken: "r"}
	for name, g := range map[string]*gateway{"bolt": newGateway(t), "redis": n.gateway} {
		bring := func() (cookie string, hint *tokens.LogoutHint) {
			t.Helper()
			l, cookie, err := g.SignInProvided(t.Context(), tokens.Provided{Profile: carol, Given: &want}, "")
			ok(t, err)
			return cookie, &tokens.LogoutHint{Subject: carol.Subject, SessionID: l.Session.Root}
		}
		end := func(cookie string, hint *tokens.LogoutHint, given bool) tokens.Given {
			t.Helper()
			got, err := g.EndLogin(t.Context(), cookie, hint, given)
			ok(t, err)
			return got
		}
		cookie, hint := bring()
		if got := end(cookie, hint, true); got != want {
			t.Errorf("%s: by cookie and hint: %+v", name, got)
		}
		if got := end(cookie, hint, true); got != (tokens.Given{}) {
			t.Errorf("%s: again: %+v", name, got)
		}
		_, hint = bring()
		if got := end("", hint, true); got != want {
			t.Errorf("%s: by hint: %+v", name, got)
		}
		cookie, _ = bring()
		if got := end(cookie, nil, false); got != (tokens.Given{}) {
			t.Errorf("%s: unasked: %+v", name, got)
		}
	}
	for _, given := range []bool{false, true} {
		_, cookie, err := n.SignInProvided(t.Context(), tokens.Provided{Profile: carol, Given: &want}, "")
		ok(t, err)
		if got := n.spent(func() { _, err = n.EndLogin(t.Context(), cookie, nil, given) }); err != nil || !maps.Equal(got, map[string]int{"end": 1}) {
			t.Errorf("given %v: %v, %v", given, got, err)
		}
	}
}
