package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// WEB-08, WEB-09: a login form works in the browser that it was made for, and posted by its own page.
func TestHardeningWEB08And09(t *testing.T) {
	g := newGateway(t)
	b, attacker := g.browser(), g.browser()
	action, fields := form(t, b.get(authorizeURL()).Body)
	_, theirs := form(t, attacker.get(authorizeURL()).Body)
	fill := func(f url.Values) url.Values {
		f.Set("username", "alice")
		f.Set("password", testPassword)
		return f
	}
	fill(fields)
	fill(theirs)
	wantPage(t, b.post(action, theirs), http.StatusForbidden) // the attacker's form in the victim's browser
	wantPage(t, g.post(action, fields), http.StatusForbidden) // no cookie
	wantPage(t, b.post(action, fill(url.Values{"login": {"local"}})), http.StatusForbidden)
	wantPage(t, b.post(action, fill(url.Values{"login": {"local"}, "request": {"x"}})), http.StatusForbidden)
	wantPage(t, b.post(action, fields, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	wantPage(t, b.post(action, fields, "Sec-Fetch-Site", "same-site"), http.StatusForbidden)
	wantPage(t, b.post(action, fields, "Origin", "https://evil.example"), http.StatusForbidden)
	wantPage(t, b.post(action, fields, "Origin", "null"), http.StatusForbidden)
	wantPage(t, b.get("/login?"+fields.Encode()), http.StatusOK) // shows the form, and does nothing
	if n := g.store.writes.Load(); n != 0 {
		t.Errorf("%d writes to the store", n)
	}
	location(t, b.post(action, fields, "Origin", "https://auth.example.com", "Sec-Fetch-Site", "same-origin"))
	_, logout := form(t, b.get("/oidc/logout").Body)
	fields.Set("request", logout.Get("request")) // another form's ticket
	wantPage(t, b.post(action, fields), http.StatusForbidden)
}

func TestHardeningWEB12And13(t *testing.T) {
	for _, tc := range []struct {
		name, issuer, prefix string
		secure               bool
	}{
		{"https", testIssuer, "__Host-", true},
		{"http on loopback", "http://localhost:8080", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t, func(core *tokens.Config, cfg *Config) { core.Issuer, cfg.IssuerURL = tc.issuer, tc.issuer })
			b := g.browser()
			name := tc.prefix + "gatehouse_session"
			b.cookies[name] = &http.Cookie{Name: name, Value: strings.Repeat("A", 64)} // fixed beforehand
			b.signIn(authorizeURL(), "alice", testPassword)
			first := b.cookies[name].Value
			if first == strings.Repeat("A", 64) {
				t.Fatal("the session was fixed beforehand")
			}
			old := b.clone()
			b.signIn(authorizeURL("prompt", "login"), "alice", testPassword)
			if b.cookies[name].Value == first {
				t.Error("a new login keeps the old session")
			}
			if _, q := location(t, old.get(authorizeURL("prompt", "none"))); q.Get("error") != "login_required" {
				t.Errorf("the old session lives: %v", q)
			}
			for _, c := range b.cookies {
				if !strings.HasPrefix(c.Name, tc.prefix+"gatehouse_") || c.Secure != tc.secure || !c.HttpOnly ||
					c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 22 {
					t.Errorf("cookie %v", c)
				}
			}
		})
	}
}

// WEB-14, broken cookies: two of one name, or garbage, are no session and no fault.
func TestHardeningBrokenCookies(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	good := g.cookies.session + "=" + b.cookies[g.cookies.session].Value
	for name, header := range map[string]string{
		"two":       good + "; " + g.cookies.session + "=x",
		"garbage":   g.cookies.session + "=\"<script>",
		"truncated": good[:len(good)-2],
		"unequal":   ";;;=;a;=b;",
		"long":      g.cookies.session + "=" + strings.Repeat("A", 8000),
	} {
		_, q := location(t, g.do(http.MethodGet, authorizeURL("prompt", "none"), "", "Cookie", header))
		if q.Get("error") != "login_required" {
			t.Errorf("%s: %v", name, q)
		}
	}
	if _, q := location(t, g.do(http.MethodGet, authorizeURL("prompt", "none"), "", "Cookie", good)); q.Get("code") == "" {
		t.Errorf("the good cookie: %v", q)
	}
}

// LOG-01, LOG-03: what was typed comes back as text; a known and an unknown name look the same.
func TestHardeningLOG01And03(t *testing.T) {
	g := newGateway(t)
	evil := `"><img src=x onerror=alert(1)>{{7*7}}{env.HOME}`
	page := g.browser().signIn(authorizeURL(), evil, evil).Body
	if strings.Contains(page, "<img src=x") || !strings.Contains(page, "{{7*7}}{env.HOME}") {
		t.Errorf("not escaped:\n%s", page)
	}
	var pages []string
	for _, user := range []string{"alice", "nobody"} {
		res := g.browser().signIn(authorizeURL(), user, "wrong")
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", user, res.StatusCode)
		}
		page := scriptNonce.ReplaceAllString(hiddenField.ReplaceAllString(res.Body, ""), "")
		pages = append(pages, strings.ReplaceAll(page, user, "NAME"))
		if strings.Contains(page, "wrong\"") {
			t.Error("the password comes back")
		}
	}
	if pages[0] != pages[1] {
		t.Error("the pages of a known and an unknown name differ")
	}
	if !g.heard.has(oauth.EventLogin, "failed") {
		t.Error("no event")
	}
}

// LOG-07: the address is what ClientIP says, whatever X-Forwarded-For claims.
func TestHardeningLOG07(t *testing.T) {
	g := newGateway(t)
	var last *wiretest.Answer
	for i := range 6 {
		last = g.browser().signIn(authorizeURL(), "alice", "wrong", "X-Forwarded-For", "192.0.2."+string(rune('0'+i)))
	}
	after := last.Header.Get("Retry-After")
	if last.StatusCode != http.StatusTooManyRequests || after == "" || !strings.Contains(last.Body, "Wait "+after+" second") { // H5: in words
		t.Errorf("the sixth try: %d %v", last.StatusCode, last.Header)
	}
	if !g.heard.has(oauth.EventLogin, "delayed") {
		t.Error("no event")
	}
}

// RED-18: the login page leads nowhere but to its own request.
func TestHardeningRED18(t *testing.T) {
	g := newGateway(t)
	for _, q := range []string{"redirect_url=https://evil.example", "rd=//evil.example", "returnTo=/%09/evil"} {
		page := wantPage(t, g.do(http.MethodGet, "/login?"+q, ""), http.StatusOK)
		if strings.Contains(page, "evil") {
			t.Errorf("%s shows on the page", q)
		}
	}
}

// A login page that was open too long asks again and keeps the request.
func TestLoginPageTooOld(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	action, fields := form(t, b.get(authorizeURL()).Body)
	fields.Set("username", "alice")
	fields.Set("password", testPassword)
	g.pass(ticketLifetime + time.Second)
	page := wantPage(t, b.post(action, fields), http.StatusForbidden)
	if !strings.Contains(page, "open for too long") {
		t.Errorf("page:\n%s", page)
	}
	action, fields = form(t, page)
	fields.Set("username", "alice")
	fields.Set("password", testPassword)
	if _, q := location(t, b.post(action, fields)); q.Get("code") == "" {
		t.Errorf("the second try: %v", q)
	}
}
