package site_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/site"
)

const board = "https://board.example.com" // a sibling of the wiki: the browser sends its cookie along

// TestN13R1AllowOrigins: rows N13 and R1: pages of another origin send nothing in the name of who
// is signed in, but those of the origins that the guard names: they may send requests, open
// WebSockets and frames, and read answers. Preflights are answered here.
func TestN13R1AllowOrigins(t *testing.T) {
	n := newWorld(t).node()
	allows := func(_ *site.SiteConfig, c *site.Config) { c.AllowOrigins = []string{board} }
	app := n.guard(wiki, allows)
	app.header.Set("Access-Control-Allow-Origin", "https://upstream.example.com")
	n.guard(dash)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	b.start(dash + "/")
	from := func(origin, site, dest string, more ...string) []string {
		return append([]string{"Origin", origin, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", dest, "Accept", "*/*"}, more...)
	}
	frame := []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", "text/html"}
	socket := []string{"Connection", "Upgrade", "Upgrade", "websocket"}
	for _, tt := range []struct {
		name, method, at string
		headers          []string
		status           int
		reads            string // the origin that may read the answer
	}{
		{"a script reads", "GET", wiki, from(board, "same-site", "empty"), 200, board},
		{"a script writes", "POST", wiki, from(board, "same-site", "empty"), 200, board},
		{"a WebSocket", "GET", wiki, from(board, "same-site", "websocket", socket...), 200, board},
		{"an old browser", "POST", wiki, []string{"Origin", board}, 200, board},
		{"a frame", "GET", wiki, append(frame, "Referer", board+"/"), 200, ""},
		{"a frame of nobody", "GET", wiki, frame, 403, ""},
		{"a frame of another", "GET", wiki, append(frame, "Referer", "https://evil.example.com/"+board), 403, ""},
		{"a form that says where it stands alone", "POST", wiki, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Referer", board + "/"}, 403, ""},
		{"another sibling", "POST", wiki, from("https://evil.example.com", "same-site", "empty"), 403, ""},
		{"another port", "GET", wiki, from(board+":8443", "same-site", "empty"), 403, ""},
		{"a WebSocket of another sibling", "GET", wiki, from("https://evil.example.com", "same-site", "websocket", socket...), 403, ""},
		{"one that hides where it stands", "POST", wiki, from("null", "same-site", "empty"), 403, ""},
		{"two origins", "POST", wiki, append(from(board, "same-site", "empty"), "Origin", "https://evil.example.com"), 403, ""},
		{"a site that allows nobody", "POST", dash, from(board, "cross-site", "empty"), 403, ""},
		{"its own page", "POST", wiki, from(wiki, "same-origin", "empty"), 200, ""},
	} {
		hits := app.hits
		a := b.send(tt.method, tt.at+"/api", nil, tt.headers...)
		if a.StatusCode != tt.status || (app.hits > hits) != (tt.status == 200) {
			t.Errorf("%s: %d, reached the upstream: %t; want %d", tt.name, a.StatusCode, app.hits > hits, tt.status)
		}
		if tt.at != wiki {
			continue
		}
		reads, credentials := a.Header.Values("Access-Control-Allow-Origin"), a.Header.Get("Access-Control-Allow-Credentials")
		if tt.reads != "" && (len(reads) != 1 || reads[0] != tt.reads || credentials != "true") || tt.reads == "" && credentials != "" {
			t.Errorf("%s: %q may read the answer, credentials %q; want %q", tt.name, reads, credentials, tt.reads)
		}
		if !strings.Contains(strings.Join(a.Header["Vary"], ","), "Origin") {
			t.Errorf("%s: Vary is %q", tt.name, a.Header["Vary"])
		}
	}

	// Without a session a script hears so, and a preflight comes without one.
	stranger := n.browser()
	a := stranger.send("GET", wiki+"/api", nil, from(board, "same-site", "empty")...).wants(t, 401, "login")
	if a.Header.Get("Access-Control-Allow-Origin") != board || !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
		t.Errorf("401 with %v", a.Header)
	}
	hits := app.hits
	ask := []string{"Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "content-type"}
	a = stranger.send(http.MethodOptions, wiki+"/api", nil, append(ask, "Origin", board)...).wants(t, 204, "")
	if h := a.Header; h.Get("Access-Control-Allow-Origin") != board || h.Get("Access-Control-Allow-Methods") != "PATCH" || h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("preflight: %v", h)
	}
	a = stranger.send(http.MethodOptions, wiki+"/api", nil, append(ask, "Origin", "https://evil.example.com")...).wants(t, 401, "")
	if a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another: %v", a.Header)
	}
	stranger.send(http.MethodOptions, wiki+"/api", nil, "Origin", board).wants(t, 401, "") // no preflight
	if app.hits != hits {
		t.Error("one of them got to the upstream")
	}

	// What they may do is no use of the guard's own pages.
	b.send(http.MethodPost, wiki+"/.gatehouse/logout", nil, from(board, "same-site", "empty")...).wants(t, 403, "")
	b.send("GET", wiki+"/.gatehouse/session", nil, from(board, "same-site", "empty")...).wants(t, 403, "")
}

// TestN13InnerGuard: a guard that allows nobody is not walked past by one ahead of it that does.
func TestN13InnerGuard(t *testing.T) {
	n := newWorld(t).node()
	shared := passages()
	app := n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.Passage, c.AllowOrigins = shared, []string{board} })
	s := n.bound[wiki]
	outer := n.hosts[wikiHost]
	inner := must(site.New(site.Config{Sites: []*site.Site{s}, Passage: shared}))(t)
	allowing := must(site.New(site.Config{Sites: []*site.Site{s}, Passage: shared, AllowOrigins: []string{board}}))(t)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	send := func(status int) {
		t.Helper()
		b.send(http.MethodPost, wiki+"/api", nil, "Origin", board, "Sec-Fetch-Site", "same-site").wants(t, status, "")
	}
	send(200)
	n.hosts[wikiHost] = serving(s, allowing, serving(s, inner, app))
	send(403)
	n.hosts[wikiHost] = outer
	send(200)
}
