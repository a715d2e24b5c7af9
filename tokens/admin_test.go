package tokens_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestNodesAdmin: what an operator does on one node holds on the other.
func TestNodesAdmin(t *testing.T) {
	server := redistest.Start(t)
	options := onServer(server, t)
	a, b := newNode(t, options, neverLag), newNode(t, options, neverLag)
	res := a.login()
	b.hold(res.AccessToken)

	used := a.state.Keys.Keys()[0].ID
	a.must(a.DropKey(t.Context(), used))
	if a.passes(res.AccessToken) {
		t.Error("a token of the dropped key passes")
	}
	b.refusesSoon(res.AccessToken)
	res = b.refreshOK(res.RefreshToken)
	a.until("the new key is known", func() bool { return a.passes(res.AccessToken) })

	b.hold(res.AccessToken)
	_, err := a.DisableUser(t.Context(), storage.TagSubject(alice.Subject), alice.Subject)
	a.must(err)
	b.refusesSoon(res.AccessToken)
	b.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
	if _, _, err := b.SignIn(t.Context(), alice, ""); !oauth.IsReason(err, oauth.ReasonUserDisabled) {
		t.Errorf("a login of the disabled user on the other node: %v", err)
	}
	u, err := b.User(t.Context(), storage.TagSubject(alice.Subject), "")
	a.must(err)
	if !u.Disabled || !u.Known || len(u.Families) != 0 {
		t.Errorf("the user as the other node sees it: %+v", u)
	}
	was, err := b.EnableUser(t.Context(), storage.TagSubject(alice.Subject))
	b.must(err)
	if !was {
		t.Error("the user is said not to have been disabled")
	}
	res = a.login()
	a.until("the other node hears of it", func() bool { return b.passes(res.AccessToken) })
	if _, err := b.DenyAccessToken(t.Context(), res.AccessToken); err != nil {
		t.Fatal(err)
	}
	a.refusesSoon(res.AccessToken)

	now := time.Now() // a login in the second of a sign-out is dated by the next one
	done, err := a.EndBegun(t.Context(), admin.Ends{Before: now.Add(2 * time.Second)}, nil)
	a.must(err)
	if done.Families != 1 || done.Sessions != 1 || done.Users != 1 {
		t.Errorf("ended %+v", done)
	}
	b.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
}
