package tokens_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestNodesEndEveryone: what one node ends is over on the other.
func TestNodesEndEveryone(t *testing.T) {
	options := onServer(redistest.Start(t), t)
	a, b := newNode(t, options, neverLag), newNode(t, options, neverLag)
	res := a.login()
	b.hold(res.AccessToken)
	if _, err := a.EndEveryone(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.passes(res.AccessToken) {
		t.Error("an access token passes where everyone was ended")
	}
	b.refusesSoon(res.AccessToken)
	b.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
	res = b.login()
	a.until("a new login is good", func() bool { return a.passes(res.AccessToken) })
	a.refreshOK(res.RefreshToken)
}

// TestEndEveryoneUnheard: a node that has not heard of it lets nothing of an
// older login go on either, since the store looks itself.
func TestEndEveryoneUnheard(t *testing.T) {
	options := onServer(redistest.Start(t), t)
	a, b := newNode(t, options, neverLag), newNode(t, options, neverLag)
	res := b.login()
	l, cookie := b.signIn(alice)
	offline, short := b.codeFor(l), b.codeFor(l, "scope", "openid")
	if _, err := a.state.Store.EndClient(t.Context(), storage.Everyone, 0); err != nil {
		t.Fatal(err)
	}
	b.refusedRefresh(res.RefreshToken, oauth.ReasonUnknown)
	for _, code := range []string{offline, short} {
		_, err := b.token("spa", codeRequest(code))
		refused(t, err, oauth.InvalidGrant, oauth.ReasonRevoked)
	}
	if l, err := b.CurrentLogin(t.Context(), cookie); err != nil || l != nil {
		t.Errorf("the session goes on: %+v, %v", l, err)
	}
	authorization, err := b.ParseAuthorization(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.IssueCode(t.Context(), authorization, l)
	refused(t, err, oauth.LoginRequired, oauth.ReasonRevoked)
}
