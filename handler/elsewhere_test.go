package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// S13: people who come by another host name or port are sent to the issuer's own
// origin before any page is shown; never anywhere else (no open redirect).
func TestPagesElsewhere(t *testing.T) {
	for _, issuer := range []string{testIssuer, "https://auth.example.com/tenant/one"} {
		g := newGateway(t, func(core *tokens.Config, cfg *Config) { core.Issuer, cfg.IssuerURL = issuer, issuer })
		base := g.base
		for _, tc := range []struct{ target, want string }{
			{"https://www.example.com" + base + authorizeURL(), base + authorizeURL()},
			{"https://auth.example.com:8443" + base + authorizeURL(), base + authorizeURL()},
			{"https://127.0.0.1" + base + "/oauth/authorize?a=1", base + "/authorize?a=1"},
			{"https://auth.example.com.evil.example" + base + "/login", base + "/login"},
			{"https://auth.example.com.evil.example" + base + "//login?x=%2f%2fevil.example", base + "/login?x=%2F%2Fevil.example"},
			{"https://www.example.com" + base + "/account", base + "/account"},
			{"https://www.example.com" + base + "/activate?user_code=WDJB-MJHT", base + "/activate?user_code=WDJB-MJHT"},
			{"https://www.example.com" + base + "/oidc/logout?state=x", base + "/oidc/logout?state=x"},
			{"https://www.example.com" + base + "/v2/logout?client_id=spa", base + "/v2/logout?client_id=spa"},
		} {
			res := g.do(http.MethodGet, tc.target, "")
			if got := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || got != "https://auth.example.com"+tc.want {
				t.Errorf("%s: %d to %s", tc.target, res.StatusCode, got)
			}
			wantProtected(t, res)
		}
		// The same place in other words, and what programs ask for.
		for _, target := range []string{"https://AUTH.example.com:443" + base + authorizeURL(), "https://www.example.com" + base + "/.well-known/jwks.json", "https://10.0.0.1" + base + "/oauth/health"} {
			if res := g.do(http.MethodGet, target, ""); res.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s", target, res.StatusCode, res.Header.Get("Location"))
			}
		}
	}
}

// S13: a form that was shown elsewhere is shown again at the issuer's origin, and
// neither the password nor anything decided goes along.
func TestFormsElsewhere(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	const other = "https://www.example.com"
	post := func(action string, fields url.Values) string {
		t.Helper()
		res := b.post(other+action, fields, "Origin", other, "Sec-Fetch-Site", "same-origin")
		to := res.Header.Get("Location")
		if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, testIssuer) || strings.Contains(to, "battery") || strings.Contains(to, "alice") || strings.Contains(to, "action") {
			t.Fatalf("%s: %d to %s", action, res.StatusCode, to)
		}
		return to
	}
	action, fields := form(t, g.do(http.MethodGet, authorizeURL("prompt", "consent"), "").Body)
	fields.Set("username", "alice")
	fields.Set("password", testPassword)
	action, fields = form(t, wantPage(t, b.get(post(action, fields)), http.StatusOK))
	fields.Set("username", "alice")
	fields.Set("password", testPassword)
	action, fields = form(t, wantPage(t, b.post(action, fields), http.StatusOK))
	fields.Set("action", "allow")
	action, fields = form(t, wantPage(t, b.get(post(action, fields)), http.StatusForbidden))
	fields.Set("action", "allow")
	if _, q := location(t, b.post(action, fields)); q.Get("code") == "" || q.Get("state") != "st" {
		t.Errorf("consent: %v", q)
	}
	for _, path := range []string{"/oidc/logout", "/account", "/activate"} {
		action, fields := form(t, b.get(path).Body)
		fields.Set("action", "logout")
		if to := post(action, fields); to != testIssuer+path[1:] {
			t.Errorf("%s: to %s", path, to)
		}
	}
	_, query, _ := strings.Cut(authorizeURL(), "?")
	q, _ := url.ParseQuery(query)
	if to := post("/authorize", q); to != testIssuer+"authorize?"+q.Encode() {
		t.Errorf("authorize: to %s", to)
	}
}

// S13: a proxy in front of us that writes a host of its own sends nobody round in
// circles, and takes nothing away.
func TestProxyThatWritesTheHost(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	const inside = "http://gatehouse:8080"
	res := b.get(inside + authorizeURL())
	if res.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d", res.StatusCode)
	}
	res = b.get(inside + strings.TrimPrefix(res.Header.Get("Location"), "https://auth.example.com"))
	action, fields := form(t, wantPage(t, res, http.StatusOK))
	fields.Set("username", "alice")
	fields.Set("password", testPassword)
	delete(b.cookies, g.cookies.moved) // it is short-lived
	if _, q := location(t, b.post(inside+action, fields, "Origin", "https://auth.example.com")); q.Get("code") == "" {
		t.Errorf("after the login: %v", q)
	}
}
