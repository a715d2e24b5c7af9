package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
)

// consentForm signs alice in and returns the consent form of a request.
func (b *browser) consentForm(change ...string) (action string, fields url.Values) {
	b.g.t.Helper()
	action, fields = form(b.g.t, b.signIn(authorizeURL(append(change, "prompt", "consent")...), "alice", testPassword).Body)
	fields.Set("action", "allow")
	return action, fields
}

// S3: a second click on a button of the consent page gets the answer of the first.
// A while later, when the application has had the code, the person is asked again.
func TestConsentTwice(t *testing.T) {
	for _, tc := range []struct{ action, parameter string }{{"allow", "code"}, {"cancel", "error"}} {
		t.Run(tc.action, func(t *testing.T) {
			g := newGateway(t)
			b := g.browser()
			action, fields := b.consentForm()
			fields.Set("action", tc.action)
			first := b.post(action, fields).Header.Get("Location")
			g.pass(repeatWindow)
			second := b.post(action, fields)
			if _, q := location(t, second); q.Get(tc.parameter) == "" || second.Header.Get("Location") != first {
				t.Errorf("the second click leads to %v, not to %s", q, first)
			}
			g.pass(time.Nanosecond)
			page := wantPage(t, b.post(action, fields), http.StatusForbidden)
			action, fields = form(t, page)
			fields.Set("action", "allow")
			third := b.post(action, fields)
			if _, q := location(t, third); q.Get("code") == "" || third.Header.Get("Location") == first {
				t.Errorf("asked again: %v", q)
			}
			if tc.parameter == "code" {
				_, q := location(t, second)
				if res := g.exchange(q.Get("code")); res.StatusCode != http.StatusOK {
					t.Errorf("the code is not redeemed: %s", res.Body)
				}
			}
		})
	}
}

// S3: the same person has signed in again meanwhile, in another tab.
func TestConsentInANewerSession(t *testing.T) {
	g := newGateway(t)
	for _, change := range [][]string{nil, {"max_age", "0"}} {
		b := g.browser()
		action, fields := b.consentForm(change...)
		g.pass(time.Second)
		location(t, b.signIn(authorizeURL("prompt", "login"), "alice", testPassword))
		action, fields = form(t, wantPage(t, b.post(action, fields), http.StatusForbidden))
		if action != "/consent" {
			t.Fatalf("%v: shown %s, want the consent again", change, action)
		}
		fields.Set("action", "allow")
		if _, q := location(t, b.post(action, fields)); q.Get("code") == "" {
			t.Errorf("%v: %v", change, q)
		}
	}
}

// S4: several tabs are opened at once by a browser that has no cookie of ours yet.
// Each answer brings one, and the last that arrives stays.
func TestTabsAtOnce(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	var tabs []*wiretest.Answer
	for range 3 {
		tabs = append(tabs, g.do(http.MethodGet, authorizeURL(), ""))
	}
	for _, c := range tabs[1].Cookies {
		if c.MaxAge < 24*3600 {
			t.Errorf("the cookie %s ends with the browser: the restored tabs have none", c.Name)
		}
		b.cookies[c.Name] = c
	}
	fill := func(page string) (string, url.Values) {
		action, fields := form(t, page)
		fields.Set("username", "alice")
		fields.Set("password", testPassword)
		return action, fields
	}
	for i, tab := range tabs {
		action, fields := fill(tab.Body)
		res := b.post(action, fields)
		if i != 1 {
			page := wantPage(t, res, http.StatusForbidden)
			if !strings.Contains(page, `value="alice"`) || !strings.Contains(page, "Please sign in again") || len(res.Cookies) > 0 {
				t.Errorf("tab %d: not the form again:\n%s", i, page)
			}
			action, fields = fill(page)
			res = b.post(action, fields)
		}
		if _, q := location(t, res); q.Get("code") == "" || q.Get("state") != "st" {
			t.Errorf("tab %d: %v", i, q)
		}
	}
}

// S4: the cookies are deleted, or the form expires, while a page is open. Nothing
// is decided by it, and it is asked once more.
func TestStaleForms(t *testing.T) {
	clear := func(b *browser) { clearCookies(b) }
	wait := func(b *browser) { b.g.pass(ticketLifetime) }
	for name, spoil := range map[string]func(*browser){"no cookies": clear, "expired": wait} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			b := g.browser()
			action, fields := b.consentForm()
			spoil(b)
			page := wantPage(t, b.post(action, fields), http.StatusForbidden)
			if action, fields = form(t, page); action == "/login" {
				fields.Set("username", "alice")
				fields.Set("password", testPassword)
				action, fields = form(t, b.post(action, fields).Body)
			}
			fields.Set("action", "allow")
			if _, q := location(t, b.post(action, fields)); q.Get("code") == "" || q.Get("state") != "st" {
				t.Errorf("consent: %v", q)
			}

			action, fields = form(t, b.get("/oidc/logout?client_id=spa&state=x&post_logout_redirect_uri="+url.QueryEscape(spaOrigin+"/")).Body)
			fields.Set("action", "logout")
			before := b.clone()
			spoil(b)
			action, fields = form(t, wantPage(t, b.post(action, fields), http.StatusForbidden))
			if _, q := location(t, before.get(authorizeURL("prompt", "none"))); q.Get("code") == "" {
				t.Fatal("signed out by a stale form")
			}
			fields.Set("action", "logout")
			if to, q := location(t, b.post(action, fields)); to != spaOrigin+"/" || q.Get("state") != "x" {
				t.Errorf("logout: %s %v", to, q)
			}

			location(t, b.signIn(authorizeURL(), "alice", testPassword))
			action, fields = form(t, b.get("/account").Body)
			fields.Set("action", "everywhere")
			spoil(b)
			if page := wantPage(t, b.post(action, fields), http.StatusForbidden); !strings.Contains(page, "out of date") {
				t.Errorf("account:\n%s", page)
			}
		})
	}
}

// clearCookies deletes a browser's cookies.
func clearCookies(b *browser) {
	for name := range b.cookies {
		delete(b.cookies, name)
	}
}

// WEB-09: a stale form of somebody else's proves nothing: no password is checked
// and no prompt=login counts as done.
func TestStaleFormOfAnotherBrowser(t *testing.T) {
	g := newGateway(t)
	victim, attacker := g.browser(), g.browser()
	location(t, victim.signIn(authorizeURL(), "alice", testPassword))
	page := attacker.signIn(authorizeURL("prompt", "login consent"), "bob", testPassword).Body
	action, fields := form(t, page)
	fields.Set("action", "allow")
	if action, _ := form(t, wantPage(t, victim.post(action, fields), http.StatusForbidden)); action != "/login" {
		t.Errorf("shown %s to who has not signed in for this", action)
	}
	for _, site := range []string{"cross-site", "same-site"} {
		page := wantPage(t, victim.post(action, fields, "Sec-Fetch-Site", site), http.StatusForbidden)
		if strings.Contains(page, "<form") {
			t.Errorf("%s: a form of another site is shown again", site)
		}
	}
}
