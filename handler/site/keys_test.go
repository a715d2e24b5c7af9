package site_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/site"
)

// keyOf returns an app key of the person whose browser it is.
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

// TestKeysGoNoFurther: an app key goes to no application, whether or not it let the request in; a
// guard behind sees it all the same.
func TestKeysGoNoFurther(t *testing.T) {
	n := newWorld(t).node()
	app := n.guards(site.Config{}, site.Config{Keys: true, Public: func(r *http.Request) bool { return r.URL.Path == "/health" }})
	alice := n.browser()
	alice.signIn(wiki+"/", "alice")
	key := alice.keyOf(wiki)
	basic := func(password string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, wiki, nil)
		r.SetBasicAuth("anybody", password)
		return r.Header.Get("Authorization")
	}
	for _, path := range []string{"/health", "/page"} {
		for authorization, want := range map[string]string{
			"Bearer " + key: "", "bearer  " + key: "", basic(key): "", basic("of-the-application"): basic("of-the-application"), "Token gk1.x": "Token gk1.x",
		} {
			alice.fetch(http.MethodGet, wiki+path, "Authorization", authorization).wants(t, http.StatusOK, "")
			if got := app.last.Header.Get("Authorization"); got != want {
				t.Errorf("%s: %q became %q", path, authorization, got)
			}
		}
	}
	n.browser().send(http.MethodGet, wiki+"/page", nil, "Authorization", "Bearer "+key).wants(t, http.StatusOK, "")
}

// TestHDR07UpstreamToken: row HDR-07: the client's Connection header takes no token of ours away.
func TestHDR07UpstreamToken(t *testing.T) {
	for _, header := range []string{"", "X-Access-Token"} {
		n := newWorld(t).node()
		app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
			c.Upstream = &site.UpstreamToken{API: wikiAPI, Scopes: []string{"pages:read"}, Header: header}
		})
		b := n.browser()
		b.signIn(wiki+"/", "alice")
		b.fetch(http.MethodGet, wiki+"/", "Connection", "close, Authorization, x-access-token").wants(t, http.StatusOK, "")
		want := "close, x-access-token"
		if header != "" {
			want = "close, Authorization"
		}
		if got := app.last.Header.Get("Connection"); got != want || app.last.Header.Get(cmp.Or(header, "Authorization")) == "" {
			t.Errorf("%q: the upstream gets %v", header, app.last.Header)
		}
	}
}
