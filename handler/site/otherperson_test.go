package site_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Another person signs in at one site: the person before is signed out of all sites in that
// browser, and of no other browser.
func TestAnotherPersonAtOneSite(t *testing.T) {
	n := newWorld(t).node()
	atWiki, atDash := n.guard(wiki), n.guard(dash)
	b, elsewhere := n.browser(), n.browser()
	b.signIn(wiki+"/", "alice")
	b.open(dash+"/.gatehouse/login?to=/").wants(t, http.StatusOK, "the application at /")
	elsewhere.signIn(dash+"/", "alice")
	thief := n.browser()
	thief.plant(dash, b.cookie(dash))

	b.submit(b.open(wiki+"/.gatehouse/login?other=1&to=/"), "bob").wants(t, http.StatusOK, "")
	if got := atWiki.last.Header.Get("X-User-Id"); got != "local|bob" {
		t.Errorf("signed in at the wiki as %q", got)
	}
	b.open(dash+"/").wants(t, http.StatusUnauthorized, "sign-in")
	b.open(dash+"/.gatehouse/login?to=/").wants(t, http.StatusOK, "the application at /")
	if got := atDash.last.Header.Get("X-User-Id"); got != "local|bob" {
		t.Errorf("signed in at the other site as %q", got)
	}
	thief.open(dash+"/").wants(t, http.StatusUnauthorized, "sign-in")
	elsewhere.open(dash+"/").wants(t, http.StatusOK, "the application at /")
	if got := atDash.last.Header.Get("X-User-Id"); got != "local|alice" {
		t.Errorf("in another browser signed in as %q", got)
	}
	if !n.heard.has(oauth.EventLogout, oauth.OutcomeReplaced) {
		t.Error("nobody hears of it")
	}
}
