package handler

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
)

// KEY-14: caches may keep the key set, and know what it is.
func TestHardeningKEY14(t *testing.T) {
	g := newGateway(t)
	res := g.do(http.MethodGet, "/.well-known/jwks.json", "", "Accept", "text/html")
	h := res.Header
	if res.StatusCode != http.StatusOK || h.Get("Cache-Control") != "public, max-age=300" || h.Get("Set-Cookie") != "" {
		t.Errorf("answer %d %v", res.StatusCode, h)
	}
	if kind := h.Get("Content-Type"); kind != "application/json" && kind != "application/jwk-set+json" {
		t.Errorf("Content-Type %q", kind)
	}
}

// WEB-20: what carries a cookie, a code or a token, and what refuses one, is
// kept by no cache; only the documents for everybody are.
func TestHardeningWEB20(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	login := b.get(authorizeURL())
	_, q := location(t, b.signIn(authorizeURL(), "alice", testPassword))
	code := g.exchange(q.Get("code"), "Origin", spaOrigin)
	tok := jsonOf(t, code)
	bearer := "Bearer " + tok["access_token"].(string)
	machine := url.Values{"client_id": {"machine"}, "client_secret": {webSecret}, "token": {tok["access_token"].(string)}}
	answers := map[string]*wiretest.Answer{
		"login page":      login,
		"login":           g.browser().signIn(authorizeURL(), "alice", testPassword),
		"login refused":   g.browser().signIn(authorizeURL(), "alice", "wrong"),
		"code by session": b.get(authorizeURL()),
		"code in a form":  b.get(authorizeURL("response_mode", "form_post")),
		"code by message": b.get(authorizeURL("response_mode", "web_message")),
		"no session":      g.do(http.MethodGet, authorizeURL("prompt", "none"), ""),
		"error page":      g.do(http.MethodGet, "/authorize", ""),
		"tokens":          code,
		"code again":      g.exchange(q.Get("code"), "Origin", spaOrigin),
		"no client":       g.post("/oauth/token", url.Values{}),
		"introspection":   g.post("/oauth/introspect", machine),
		"userinfo":        g.do(http.MethodGet, "/userinfo", "", "Authorization", bearer),
		"no userinfo":     g.do(http.MethodGet, "/userinfo", ""),
		"account":         b.get("/account"),
		"logout page":     b.get("/oidc/logout"),
		"logout":          b.get("/oidc/logout?client_id=spa&id_token_hint=" + tok["id_token"].(string)),
		"revocation":      g.post("/oauth/revoke", url.Values{"client_id": {"spa"}, "token": {tok["refresh_token"].(string)}}),
	}
	for name, res := range answers {
		if res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, Cache-Control %q", name, res.StatusCode, res.Header.Get("Cache-Control"))
		}
	}
	for _, name := range []string{"tokens", "code again", "no client"} { // they answer each origin in its own way
		if vary := answers[name].Header.Get("Vary"); !strings.Contains(vary, "Origin") {
			t.Errorf("%s: Vary %q", name, vary)
		}
	}
}

// elsewhere finds what a page loads or leads to, or names by its own origin.
var elsewhere = regexp.MustCompile(`(?i)(?:src|href|action|srcset|data|poster|content)\s*=\s*["'](?:https?:)?//[^"']*|url\(|@import`)

// SEC-10: pages load nothing from elsewhere, so that no one else hears of them,
// and what they lead to hears no more than where from.
func TestHardeningSEC10(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	for name, res := range map[string]*wiretest.Answer{
		"login":   g.browser().get(authorizeURL()),
		"refused": g.browser().signIn(authorizeURL(), "alice", "wrong"),
		"consent": b.get(authorizeURL("prompt", "consent")),
		"account": b.get("/account"),
		"logout":  b.get("/oidc/logout"),
		"error":   g.do(http.MethodGet, "/authorize", ""),
		"lost":    g.do(http.MethodGet, "/login", ""),
	} {
		if found := elsewhere.FindAllString(res.Body, -1); found != nil {
			t.Errorf("%s: the page names %q", name, found)
		}
		h := res.Header
		want := "no-referrer"
		if strings.Contains(res.Body, "<form") {
			want = "same-origin" // without it a browser posts with Origin: null
		}
		if got := h.Get("Referrer-Policy"); got != want {
			t.Errorf("%s: Referrer-Policy %q, want %q", name, got, want)
		}
		for directive := range strings.SplitSeq(h.Get("Content-Security-Policy"), ";") {
			kind, sources, _ := strings.Cut(strings.TrimSpace(directive), " ")
			if strings.HasSuffix(kind, "-src") && strings.Contains(sources, "//") {
				t.Errorf("%s: the policy lets pages load from %s", name, directive)
			}
		}
	}
}
