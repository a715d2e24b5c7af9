package site_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/site"
)

// keyOf returns an app key of who is signed in in a browser.
func (b *browser) keyOf(origin string) string {
	b.n.t.Helper()
	return must(b.n.NewSiteKey(b.n.t.Context(), must(b.n.CurrentLogin(b.n.t.Context(), issuerSession(b)))(b.n.t), origin, "Phone"))(b.n.t)
}

// TestKeysAreNoCookies: an app key that the node knows is no cookie of a session, and a cookie
// that it knows is no app key, whichever guards of the origin take keys.
func TestKeysAreNoCookies(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.Keys = true })
	withKeys := n.hosts[wikiHost]
	s := n.bound[wiki]
	without := serving(s, must(newGuard(s))(t), app)
	alice := n.browser()
	alice.signIn(wiki+"/", "alice")
	key, cookie := alice.keyOf(wiki), alice.cookie(wiki)
	program := n.browser()
	try := func(text string) *answer {
		return program.send(http.MethodGet, wiki+"/dav", nil, "Authorization", "Bearer "+text)
	}
	try(key).wants(t, http.StatusOK, "") // the node knows it now
	try(cookie).wants(t, http.StatusUnauthorized, "")
	try("gk1."+cookie).wants(t, http.StatusUnauthorized, "")

	thief := n.browser()
	thief.plant(wiki, key)
	for _, n.hosts[wikiHost] = range []http.Handler{without, withKeys} {
		thief.fetch(http.MethodGet, wiki+"/admin").wants(t, http.StatusUnauthorized, "")
		thief.fetch(http.MethodGet, wiki+"/.gatehouse/session").wants(t, http.StatusUnauthorized, "")
	}
	thief.fetch(http.MethodPost, wiki+"/.gatehouse/logout").wants(t, http.StatusSeeOther, "")
	try(key).wants(t, http.StatusOK, "")
}
