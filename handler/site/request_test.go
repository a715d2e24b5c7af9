package site_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/site"
)

// TestWhoGetsAPage: rows N1 to N6, N10 to N12, N15, S7, R5, P2, P7 of the pitfalls: who opens a
// page is shown one, everybody else gets 401, and nobody a cookie or a redirect.
func TestWhoGetsAPage(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.Keys = true })
	const page, problem, robots = "text/html; charset=utf-8", "application/problem+json", "text/plain; charset=utf-8"
	for name, tt := range map[string]struct {
		method, path string
		headers      []string
		kind, text   string
		status       int
	}{
		"navigation":              {headers: navigates, kind: page, text: `id="sign-in"`},
		"N3 service worker":       {headers: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"}, kind: page},
		"N4 old browser":          {headers: []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, kind: page},
		"N12 HEAD":                {method: http.MethodHead, headers: navigates, kind: page},
		"N10 frame":               {headers: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site"}, kind: page, text: `target="_blank"`},
		"R5 form":                 {method: http.MethodPost, headers: []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin"}, kind: page, text: "close=1"},
		"N1 fetch":                {headers: []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "*/*"}, kind: problem, text: "/.gatehouse/login?to=%2Fpage"},
		"N2 curl":                 {headers: []string{"Accept", "*/*", "User-Agent", "curl/8"}, kind: problem},
		"N2 XMLHttpRequest":       {headers: []string{"Accept", "text/html", "X-Requested-With", "XMLHttpRequest"}, kind: problem},
		"N5 WebSocket":            {headers: []string{"Upgrade", "websocket", "Connection", "Upgrade", "Accept", "text/html"}, kind: problem},
		"S7 service worker":       {headers: []string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "serviceworker", "Service-Worker", "script"}, kind: problem},
		"S7 script":               {headers: []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, kind: problem},
		"N15 video":               {headers: []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "video", "Range", "bytes=0-"}, kind: problem},
		"N12 OPTIONS":             {method: http.MethodOptions, headers: navigates, kind: problem},
		"N12 PROPFIND":            {method: "PROPFIND", headers: []string{"Accept", "text/html"}, kind: problem},
		"N11 prefetch":            {headers: append([]string{"Sec-Purpose", "prefetch;prerender"}, navigates...), kind: problem},
		"N11 old prefetch":        {headers: append([]string{"Purpose", "prefetch"}, navigates...), kind: problem},
		"N13 preflight":           {method: http.MethodOptions, headers: []string{"Origin", "https://app.example.org", "Access-Control-Request-Method", "PUT"}, kind: problem},
		"R6 upload":               {method: http.MethodPut, headers: []string{"Sec-Fetch-Mode", "cors", "Content-Type", "video/mp4"}, kind: problem},
		"P7 robots":               {path: "/robots.txt", headers: []string{"User-Agent", "Googlebot"}, kind: robots, text: "Disallow: /", status: http.StatusOK},
		"HDR-17 another method":   {method: "get", headers: navigates, kind: problem},
		"HDR-17 method override":  {method: http.MethodPost, headers: []string{"X-HTTP-Method-Override", "GET", "Accept", "*/*"}, kind: problem},
		"HDR-12 rewritten header": {headers: []string{"X-Original-URL", "/health", "X-Forwarded-Uri", "/health", "Accept", "*/*"}, kind: problem},
	} {
		t.Run(name, func(t *testing.T) {
			b := n.browser()
			if tt.method == "" {
				tt.method = http.MethodGet
			}
			if tt.path == "" {
				tt.path = "/page"
			}
			if tt.status == 0 {
				tt.status = http.StatusUnauthorized
			}
			a := b.send(tt.method, wiki+tt.path, strings.NewReader("a body"), tt.headers...)
			if a.StatusCode != tt.status || a.Header.Get("Content-Type") != tt.kind || !strings.Contains(a.body, tt.text) {
				t.Errorf("%d %s\n%s", a.StatusCode, a.Header, a.body)
			}
			if a.Header.Get("Set-Cookie") != "" || a.Header.Get("Location") != "" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("answer %s", a.Header)
			}
			basic := strings.Contains(strings.Join(a.Header["Www-Authenticate"], " "), "Basic")
			if wants := name == "N2 curl"; wants && !basic || basic && strings.Contains(a.Header.Get("Content-Type"), "html") {
				t.Errorf("challenges %q", a.Header["Www-Authenticate"])
			}
			if framed := name == "N10 frame"; framed != (a.Header.Get("X-Frame-Options") == "") && tt.kind == page {
				t.Errorf("framing: %s", a.Header)
			}
		})
	}
}

// TestBrowsersGetNoBasic: row P2.
func TestBrowsersGetNoBasic(t *testing.T) {
	n := newWorld(t).node()
	n.guard(wiki, func(_ *site.SiteConfig, c *site.Config) { c.Keys = true })
	b := n.browser()
	for _, headers := range [][]string{{"User-Agent", "Mozilla/5.0", "Accept", "*/*"}, {"Sec-Fetch-Mode", "cors"}} {
		a := b.send(http.MethodGet, wiki+"/feed", nil, headers...)
		if got := strings.Join(a.Header["Www-Authenticate"], " "); strings.Contains(got, "Basic") || !strings.Contains(got, "Gatehouse login=") {
			t.Errorf("challenge %q", got)
		}
	}
}

// TestWhoMaySend: rows R1, R2, R3, R4 of the pitfalls and review H5: what a cookie lets in
// comes from our own pages, or is a link that opens a page.
func TestWhoMaySend(t *testing.T) {
	n := newWorld(t).node()
	app := n.guard(wiki)
	b := n.browser()
	b.signIn(wiki+"/", "alice")
	upgrade := []string{"Upgrade", "websocket", "Connection", "Upgrade"}
	for name, tt := range map[string]struct {
		method  string
		headers []string
		passes  bool
	}{
		"form of the page":        {http.MethodPost, []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, true},
		"form, without metadata":  {http.MethodPost, []string{"Origin", wiki}, true},
		"form, nothing said":      {http.MethodPost, nil, false},
		"form of a sibling":       {http.MethodPost, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Origin", "https://evil.example.com"}, false},
		"form of a sibling, old":  {http.MethodPost, []string{"Origin", "https://evil.example.com"}, false},
		"form of another port":    {http.MethodPost, []string{"Origin", "https://wiki.example.com:8443"}, false},
		"form of a stranger":      {http.MethodDelete, []string{"Sec-Fetch-Site", "cross-site"}, false},
		"two origins":             {http.MethodPost, []string{"Origin", wiki, "Origin", "https://evil.example.com"}, false},
		"two metadata":            {http.MethodPost, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, false},
		"origin null":             {http.MethodPost, []string{"Origin", "null"}, false},
		"upper case origin":       {http.MethodPost, []string{"Origin", "https://WIKI.example.com"}, false},
		"reload of a form":        {http.MethodPost, []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, true},
		"R1 upgrade of the page":  {http.MethodGet, append([]string{"Origin", wiki}, upgrade...), true},
		"R1 upgrade of a sibling": {http.MethodGet, append([]string{"Origin", "https://evil.example.com"}, upgrade...), false},
		"R1 upgrade, metadata":    {http.MethodGet, append([]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "websocket", "Origin", wiki}, upgrade...), false},
		"R1 upgrade from nowhere": {http.MethodGet, upgrade, false},
		"R1 upgrade, by the bar":  {http.MethodGet, append([]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, upgrade...), false},
		"R1 extended CONNECT":     {http.MethodConnect, []string{"Origin", "https://evil.example.com"}, false},
		"R4 link of a stranger":   {http.MethodGet, append([]string{"Sec-Fetch-Site", "cross-site"}, navigates...), true},
		"H5 image of a sibling":   {http.MethodGet, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		"H5 frame of a sibling":   {http.MethodGet, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
		"frame of the page":       {http.MethodGet, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, true},
		"old browser":             {http.MethodGet, []string{"Accept", "text/html"}, true},
		"an unknown word":         {http.MethodPost, []string{"Sec-Fetch-Site", "same-galaxy"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := app.hits
			a := b.send(tt.method, wiki+"/save", strings.NewReader("x=1"), tt.headers...)
			if passed := app.hits > before; passed != tt.passes || !passed && a.StatusCode != http.StatusForbidden {
				t.Errorf("passed %v, %d %s", passed, a.StatusCode, a.body)
			}
		})
	}
}
