package site_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/site"
)

// TestC1C10S15WEB12Cookies: rows C1, C10, S15, S16 and WEB-12: each cookie is of this origin
// alone, small, comes back from links of others, and stays when the browser is closed.
func TestC1C10S15WEB12Cookies(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	seen := make(map[string]bool)
	check := func(a *answer) *answer {
		t.Helper()
		for _, line := range a.Header["Set-Cookie"] {
			c := must(http.ParseSetCookie(line))(t)
			kind, _, _ := strings.Cut(strings.TrimPrefix(c.Name, "__Host-gatehouse_"), "_")
			seen[kind] = true
			if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" ||
				c.Partitioned || c.MaxAge == 0 || len(line) > 512 {
				t.Errorf("%d bytes: %s", len(line), line)
			}
		}
		return a
	}
	check(b.send(http.MethodGet, wiki+"/.gatehouse/login?to=/", nil, navigates...))
	back := b.comeBack(wiki+"/", "alice")
	check(b.send(http.MethodGet, back, nil, navigates...))
	b.open(wiki+"/").wants(t, http.StatusOK, "")
	check(b.send(http.MethodPost, wiki+"/.gatehouse/logout", nil, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate"))
	for _, kind := range []string{"pending", "site", "returned"} {
		if !seen[kind] {
			t.Errorf("no cookie %q among %v", kind, seen)
		}
	}
}

// TestS10WEB20NoStore: rows S10 and WEB-20: no cache keeps an answer of ours, and none of them
// tells another site where somebody was.
func TestS10WEB20NoStore(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.For = [][]string{{"staff"}} })
	b, bob := n.browser(), n.browser()
	login := b.send(http.MethodGet, wiki+"/.gatehouse/login?to=/", nil, navigates...)
	back := b.comeBack(wiki+"/", "alice")
	callback := b.send(http.MethodGet, back, nil, navigates...)
	for name, a := range map[string]*answer{
		"start page": n.browser().open(wiki + "/"), "problem": n.browser().fetch(http.MethodGet, wiki+"/"), "login": login, "callback": callback,
		"the callback again": b.send(http.MethodGet, back, nil, navigates...), "session": b.fetch(http.MethodGet, wiki+"/.gatehouse/session"),
		"refused": bob.signIn(wiki+"/", "bob"), "nothing": b.open(wiki + "/.gatehouse/else"), "asks": b.open(wiki + "/.gatehouse/logout"),
		"logout": b.send(http.MethodPost, wiki+"/.gatehouse/logout", nil, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate"),
	} {
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: %d, Cache-Control %q", name, a.StatusCode, got)
		}
		if got := a.Header.Get("Referrer-Policy"); a.StatusCode == http.StatusSeeOther && got != "no-referrer" {
			t.Errorf("%s: Referrer-Policy %q", name, got)
		}
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: another origin may read it", name) // WEB-06
		}
	}
}

// TestS12LOG22NothingIsKept: rows S12 and LOG-22: links that are opened and never followed, by
// scanners of mail or by a flood, keep nothing and use nothing up.
func TestS12LOG22NothingIsKept(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki)
	b := n.browser()
	link := b.start(wiki + "/deep?x=1").at
	rotated, asked, ended := n.store.rotated.Load(), n.store.asked.Load(), n.store.ended.Load()
	for range 300 {
		scanner := n.browser()
		scanner.send(http.MethodGet, wiki+"/deep?x=1", nil, "Accept", "text/html").wants(t, http.StatusUnauthorized, "")
		scanner.send(http.MethodGet, wiki+"/.gatehouse/login?to=/deep", nil, navigates...)
		scanner.send(http.MethodGet, wiki+"/.gatehouse/callback?state=x&code=y", nil, navigates...)
	}
	n.browser().open(link)
	if r, a, e := n.store.rotated.Load(), n.store.asked.Load(), n.store.ended.Load(); r != rotated || a != asked || e != ended {
		t.Errorf("the store was asked %d, %d, %d times", r-rotated, a-asked, e-ended)
	}
	b.submit(b.open(link), "alice").wants(t, http.StatusOK, "the application at /deep?x=1")
}

// TestC11Public: row C11: what other sites post to the application gets there where the guard says
// so, and says of nobody who it is; anywhere else it does not, whoever is signed in.
func TestC11Public(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) {
		c.Public = func(r *http.Request) bool { return r.URL.Path == "/saml/acs" }
	})
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	post := []string{"Origin", "https://idp.example.net", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"}
	b.send(http.MethodPost, wiki+"/saml/acs", nil, post...).wants(t, http.StatusOK, "the application")
	if app.last.Header.Get("X-User-Id") != "" || strings.Contains(app.last.Header.Get("Cookie"), "gatehouse") {
		t.Errorf("upstream: %s", app.last.Header)
	}
	hits := app.hits
	b.send(http.MethodPost, wiki+"/save", nil, post...).wants(t, http.StatusForbidden, "came from another site")
	n.browser().send(http.MethodPost, wiki+"/save", nil, post...).wants(t, http.StatusUnauthorized, "nothing was sent")
	if app.hits != hits {
		t.Error("it got to the application")
	}
}

// TestP5Assets: row P5: what browsers fetch without cookies is there without a session, and
// nothing that only looks like it.
func TestP5Assets(t *testing.T) {
	for path, want := range map[string]bool{
		"/robots.txt": true, "/favicon.ico": true, "/manifest.json": true, "/site.webmanifest": true, "/apple-touch-icon.png": true, "/apple-touch-icon-120x120.png": true,
		"/": false, "/admin": false, "/favicon.ico/x": false, "/x/favicon.ico": false, "/favicon-../secret.png": false, "/apple-touch-icon.png.php": false, "/FAVICON.ICO": false,
	} {
		if got := site.Assets(path); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}
