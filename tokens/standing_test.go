package tokens_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

var (
	bob = tokens.Profile{Subject: "local|bob", Login: "local", ACR: "pwd", Fingerprint: storage.FingerprintOf("$2a$bob")}
	// aliceAgain is alice after her password was changed.
	aliceAgain = tokens.Profile{Subject: alice.Subject, Login: "local", ACR: "pwd", Fingerprint: storage.FingerprintOf("$2a$again")}
)

// listing changes the configuration to know these local users, beside the provider's.
func listing(users ...tokens.Profile) func(*tokens.Config) {
	known := accounts{{}: company}
	for _, p := range users {
		known[storage.TagSubject(p.Subject)] = p.Fingerprint
	}
	return func(c *tokens.Config) { c.Accounts = known }
}

// lists gives a node another list of users, as when its file changes.
func (n *node) lists(users ...tokens.Profile) {
	n.t.Helper()
	listing(users...)(&n.cfg)
	n.reload()
}

// guards fails the test unless the node lets the token through, or refuses it since its
// person does not stand any more. It returns how often the store was asked for a profile.
func (n *node) guards(what, token string, passes bool) int {
	n.t.Helper()
	before := n.called()["profile"]
	_, err := n.CheckAccess(n.t.Context(), token)
	switch {
	case passes && err != nil:
		n.t.Errorf("%s: refused: %v", what, err)
	case !passes && !oauth.IsReason(err, oauth.ReasonUserChanged):
		n.t.Errorf("%s: %v, want it refused as %s", what, err, oauth.ReasonUserChanged)
	}
	return n.called()["profile"] - before
}

// bystanders are tokens of people whom no change of a list is about.
func (n *node) bystanders() map[string]string {
	n.t.Helper()
	machine, err := n.token("machine", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
	n.must(err)
	l, _, err := n.SignInProvided(n.t.Context(), tokens.Provided{Profile: carol}, "")
	n.must(err)
	provided := n.exchanged(n.codeFor(l))
	l, _ = n.signIn(bob)
	return map[string]string{
		"a machine": machine.AccessToken, "somebody of a provider": provided.AccessToken, "another user": n.exchanged(n.codeFor(l)).AccessToken,
	}
}

func (n *node) allPass(tokens map[string]string) {
	n.t.Helper()
	for who, token := range tokens {
		if asked := n.guards(who, token, true); asked != 0 {
			n.t.Errorf("%s: the store was asked for a profile", who)
		}
	}
}

// TestH19PasswordChanged: two nodes have different lists of users for a while. The password
// of before is out at once where the new list is; a login by the new one is good at both,
// nobody signs in by the old one, and nobody else notices.
func TestH19PasswordChanged(t *testing.T) {
	server := redistest.Start(t)
	a, b := newNode(t, onServer(server, t), neverLag, listing(alice, bob)), newNode(t, onServer(server, t), neverLag, listing(alice, bob))
	others := b.bystanders()
	old := b.login()
	if asked := a.guards("before", old.AccessToken, true); asked != 0 {
		t.Error("the store is asked about a password that all agree on")
	}

	a.lists(aliceAgain, bob)
	if asked := a.guards("A13, A14: the old password at the new list", old.AccessToken, false); asked != 1 {
		t.Errorf("the store was asked %d times, want once", asked)
	}
	for range 100 {
		if asked := a.guards("again", old.AccessToken, false); asked != 0 {
			t.Fatal("the verdict was not kept")
		}
	}
	for _, n := range []*node{a, b} {
		res, err := n.Introspect(t.Context(), &clients.Client{ID: "spa", Type: clients.Web}, old.AccessToken)
		if err != nil || res.Active != (n == b) {
			t.Errorf("introspection: %+v, %v", res, err)
		}
	}
	a.refusedRefresh(old.RefreshToken, oauth.ReasonUserChanged)
	b.guards("the old password at the old list", old.AccessToken, true)

	l, cookie := a.signIn(aliceAgain)
	code := a.codeFor(l)
	fresh := a.exchanged(a.codeFor(l))
	a.guards("the new password at the new list", fresh.AccessToken, true)
	if asked := b.guards("the new password at the old list", fresh.AccessToken, true); asked != 1 {
		t.Errorf("the store was asked %d times, want once", asked)
	}
	for range 100 {
		if asked := b.guards("again", fresh.AccessToken, true); asked != 0 {
			t.Fatal("the verdict was not kept")
		}
	}
	b.refusesSoon(old.AccessToken)
	if a.passes(old.AccessToken) {
		t.Error("the old token passes")
	}
	fresh = b.refreshOK(fresh.RefreshToken)
	b.guards("refreshed at the old list", fresh.AccessToken, true)
	a.guards("refreshed at the old list", fresh.AccessToken, true)
	if !b.signedIn(cookie) {
		t.Error("the session is over at the old list")
	}
	atB := b.exchanged(code)

	for _, n := range []*node{a, b} {
		_, _, err := n.SignIn(t.Context(), alice, "")
		refused(t, err, oauth.AccessDenied, oauth.ReasonUserChanged)
	}
	a.refreshOK(atB.RefreshToken)
	a.refreshOK(fresh.RefreshToken)
	for _, n := range []*node{a, b} {
		n.guards("after a login by the old password", fresh.AccessToken, true)
		n.allPass(others)
	}
	b.lists(aliceAgain, bob)
	if asked := b.guards("the new password at the new list", fresh.AccessToken, true); asked != 0 {
		t.Error("the store was asked")
	}
}

// TestH19UserRemoved: who is not listed any more is out at that node, after a restart too;
// who was just added is out only where the list does not say so yet.
func TestH19UserRemoved(t *testing.T) {
	server := redistest.Start(t)
	a, b := newNode(t, onServer(server, t), neverLag, listing(alice, bob)), newNode(t, onServer(server, t), neverLag, listing(alice, bob))
	others := b.bystanders()
	token := a.login()
	a.lists(bob)
	if asked := a.guards("removed", token.AccessToken, false); asked != 0 {
		t.Error("the store was asked about somebody who is gone")
	}
	a.refusedRefresh(token.RefreshToken, oauth.ReasonUserChanged)
	b.guards("still listed", token.AccessToken, true)
	restarted := newNode(t, onServer(server, t), neverLag, listing(bob))
	restarted.guards("removed before a restart", token.AccessToken, false)
	for _, n := range []*node{a, b, restarted} {
		n.allPass(others)
	}
	a.lists(alice, bob)
	a.guards("added again", token.AccessToken, true)
	gate, err := restarted.Gate(func(context.Context) error { return nil })
	a.must(err)
	if _, err := gate.CheckAccess(t.Context(), token.AccessToken); err == nil {
		t.Error("a route for several issuers lets a removed user through")
	}

	_, err = b.DisableUser(t.Context(), storage.TagSubject(alice.Subject), alice.Subject)
	a.must(err)
	b.refusesSoon(token.AccessToken)
	a.refusesSoon(token.AccessToken)
	a.allPass(others)
}

// TestH19StoreDown: where the store would have to say which of two passwords is the newer one,
// and cannot, the token is not judged.
func TestH19StoreDown(t *testing.T) {
	server := redistest.Start(t)
	a := newNode(t, onServer(server, t), neverLag, listing(alice, bob))
	token, others := a.login(), a.bystanders()
	a.hold(token.AccessToken)
	a.allPass(others)
	a.lists(aliceAgain, bob)
	server.Kill()
	_, err := a.CheckAccess(t.Context(), token.AccessToken)
	refused(t, err, oauth.TemporarilyUnavailable, "")
	server.Run()
	a.until("the store is back", func() bool {
		_, err := a.CheckAccess(t.Context(), token.AccessToken)
		return oauth.IsReason(err, oauth.ReasonUserChanged)
	})
	a.allPass(others)
}

// TestH19PasswordHeld: what a login has replaced is held for an hour. A node that still has it
// after that is not behind: the password was changed back.
func TestH19PasswordHeld(t *testing.T) {
	g := newGateway(t, listing(alice))
	known := func(users ...tokens.Profile) {
		listing(users...)(&g.cfg)
		g.reload()
	}
	g.login()
	known(aliceAgain)
	l, cookie := g.signIn(aliceAgain)
	token := g.exchanged(g.codeFor(l))
	known(alice)
	g.pass(59 * time.Minute)
	token = g.refreshOK(token.RefreshToken)
	if !g.passes(token.AccessToken) || !g.signedIn(cookie) {
		t.Error("a login by the new password is not good where the list is behind")
	}
	if _, _, err := g.SignIn(t.Context(), alice, ""); !oauth.IsReason(err, oauth.ReasonUserChanged) {
		t.Errorf("a login by the password before: %v", err)
	}
	if n := g.events.count(oauth.EventLogin, oauth.OutcomeFailed); n != 1 {
		t.Errorf("%d events of a failed login", n)
	}
	g.pass(2 * time.Minute)
	g.refusedRefresh(token.RefreshToken, oauth.ReasonUserChanged)
	if g.passes(token.AccessToken) || g.signedIn(cookie) {
		t.Error("an hour later the list still counts as behind")
	}
	if again := g.login(); !g.passes(again.AccessToken) {
		t.Error("the password that was changed back is not good")
	}
}

// TestH19WhichIsNewer: of two passwords of which a node knows one and a token the other, the
// store tells which is the newer one; it has two of them.
func TestH19WhichIsNewer(t *testing.T) {
	g := newGateway(t, listing(alice))
	g.login()
	listing(aliceAgain)(&g.cfg)
	g.reload()
	g.signIn(aliceAgain)
	third := storage.FingerprintOf("$2a$third")
	now, before, none := aliceAgain.Fingerprint, alice.Fingerprint, storage.Fingerprint{}
	for _, tt := range []struct {
		name       string
		own, token storage.Fingerprint
		passes     bool
	}{
		{"the same, of the last login", now, now, true},
		{"the same, of the one before", before, before, true}, // the denylist has all that was begun by it
		{"the node is behind", before, now, true},
		{"the node is ahead", third, now, false},
		{"the token is older", now, before, false},
		{"the token is older than both", before, third, false},
		{"nobody knows the token's", now, third, false},
		{"the token has none", now, none, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mark := ""
			if tt.token != none {
				mark = `,"gh_pw":"` + tt.token.Mark().String() + `"`
			}
			claims, err := verify.ParseClaims([]byte(`{"iss":"i","sub":"local|alice","aud":"a","client_id":"c","jti":"j","iat":1,"exp":2`+mark+`}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			people := verify.NewStandings(accounts{storage.TagSubject(alice.Subject): tt.own}, g.state.Store, g.clock)
			if err := people.Check(t.Context(), claims); (err == nil) != tt.passes {
				t.Errorf("passes %v: %v", !tt.passes, err)
			}
		})
	}
}
