package tokens_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
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

// TestC1GroupLost: bob loses the group that the wiki is for, and a refresh is refused
// without spending anything; he gets it back, and the same refresh token is good.
func TestC1GroupLost(t *testing.T) {
	g := newGateway(t)
	g.client("spa").For = storage.AllOf{{storage.TagGroup("staff")}}
	bob := tokens.Profile{Subject: "company|00u1", Login: "company", Fingerprint: company, Groups: []storage.GroupTag{storage.TagGroup("staff")}}
	l, _ := g.signIn(bob)
	token := g.refreshOK(g.mustToken("spa", codeRequest(g.codeFor(l))).RefreshToken).RefreshToken
	g.pass(time.Minute)
	lost := bob
	lost.Groups = []storage.GroupTag{storage.TagGroup("other")}
	g.signIn(lost)
	for range 2 {
		g.pass(time.Minute) // beyond every leeway
		g.refusedRefresh(token, oauth.ReasonNotAllowed)
	}
	if n := g.events.count(oauth.EventRefresh, oauth.Outcome(oauth.ReasonNotAllowed)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	g.signIn(bob)
	g.refreshOK(token)
}
