package tokens_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The sign-in of another person in the same browser signs out who was signed in before, on both
// stores and at the other node, and says so where operators ask. The same person loses nothing,
// and nobody does by a sign-in that is refused.
func TestAnotherPersonSignsIn(t *testing.T) {
	server := redistest.Start(t)
	local, here, there := newGateway(t), newNode(t, onServer(server, t), neverLag), newNode(t, onServer(server, t), neverLag)
	for g, other := range map[*gateway]*gateway{local: local, here.gateway: there.gateway} {
		l, cookie := g.signIn(alice)
		res := g.exchanged(g.codeFor(l))
		family := g.family()

		_, err := g.DisableUser(t.Context(), storage.TagSubject(carol.Subject), carol.Subject)
		ok(t, err)
		if _, _, err := g.SignIn(t.Context(), carol, cookie); err == nil {
			t.Error("who is disabled has signed in")
		}
		_, err = g.EnableUser(t.Context(), storage.TagSubject(carol.Subject))
		ok(t, err)
		_, again, err := g.SignIn(t.Context(), alice, cookie)
		if ok(t, err); !g.passes(res.AccessToken) {
			t.Error("the same person, or one who is refused, has signed alice out")
		}
		_, now, err := g.SignIn(t.Context(), carol, again)
		ok(t, err)
		if g.signedIn(again) || !g.signedIn(now) {
			t.Error("the browser is not carol's")
		}
		if g == here.gateway {
			there.refusesSoon(res.AccessToken)
		}
		if g.passes(res.AccessToken) {
			t.Error("alice's access token passes")
		}
		other.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
		entries := other.history(family, 3) // begun, ended, refused
		if e := entries[1]; e.Kind != history.Ended || e.By != history.EndedByNext {
			t.Errorf("history %+v", entries)
		}
		if n := g.events.count(oauth.EventLogout, ""); n != 1 || g.events.count(oauth.EventLogout, oauth.OutcomeReplaced) != 1 {
			t.Errorf("%d events of a logout", n)
		}
	}
}

// One session too many has the applications of the least used told, and ends nothing of theirs.
func TestH9ToldOfTooManySessions(t *testing.T) {
	g := newGateway(t, toldSPA)
	b := g.telling()
	l, cookie := g.signIn(alice)
	res := g.exchanged(g.codeFor(l))
	g.pass(time.Minute)
	for range storage.MaxSessions {
		g.signIn(alice)
	}
	if g.signedIn(cookie) {
		t.Error("the session goes on")
	}
	_, id := parts(t, res.IDToken)
	if came := b.next(); came["sid"] != id["sid"] {
		t.Errorf("told %v, of %v", came, id)
	}
	g.refreshOK(res.RefreshToken)
}
