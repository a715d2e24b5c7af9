package handler

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

var endButton = regexp.MustCompile(`name="end" value="([^"]*)"`)

// applications returns the families of the buttons on the account page.
func applications(page string) (ids []string) {
	for _, m := range endButton.FindAllStringSubmatch(page, -1) {
		ids = append(ids, html.UnescapeString(m[1]))
	}
	return ids
}

func (g *gateway) refresh(token any) *wiretest.Answer {
	g.t.Helper()
	return g.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {token.(string)}})
}

// eventuallyShows reads the account page until it shows a text: histories are
// written behind the answers.
func (b *browser) eventuallyShows(text string) string {
	b.g.t.Helper()
	var page string
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		if page = b.get("/account").Body; strings.Contains(page, text) {
			return page
		}
	}
	b.g.t.Fatalf("the page does not show %q:\n%s", text, page)
	return ""
}

func TestAccountShowsAndSignsOut(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	_, q := location(t, b.signIn(authorizeURL(), "alice", testPassword, "User-Agent", firefox))
	first := jsonOf(t, g.exchange(q.Get("code"), "User-Agent", "node/22"))
	g.now.Add(int64(time.Minute))
	second := g.browser().tokensOf()
	page := b.eventuallyShows("Firefox on Linux")
	ids := applications(page)
	if len(ids) != 2 || strings.Count(page, "Orders") < 2 || strings.Count(page, "Signed in from this browser") != 1 || strings.Contains(page, "node/22") {
		t.Fatalf("the page shows %d applications:\n%s", len(ids), page)
	}

	// The newest login stands first: the second one's goes.
	action, fields := form(t, page)
	fields.Set("end", ids[0])
	res := b.post(action, fields)
	if got := applications(res.Body); len(got) != 1 || got[0] != ids[1] || !strings.Contains(res.Body, "Signed out.") {
		t.Errorf("after signing one out:\n%s", res.Body)
	}
	if res := g.refresh(second["refresh_token"]); res.StatusCode != http.StatusBadRequest || jsonOf(t, res)["error"] != "invalid_grant" {
		t.Errorf("its refresh token: %d %s", res.StatusCode, res.Body)
	}
	if res := g.do(http.MethodGet, "/userinfo", "", "Authorization", "Bearer "+second["access_token"].(string)); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("its access token: %d", res.StatusCode)
	}
	if res := g.refresh(first["refresh_token"]); res.StatusCode != http.StatusOK {
		t.Errorf("the other application: %d %s", res.StatusCode, res.Body)
	}

	action, fields = form(t, b.get("/account").Body)
	fields.Set("action", "everywhere")
	other := g.signedIn("alice")
	if res := b.post(action, fields); !strings.Contains(res.Body, "You are signed out") {
		t.Errorf("sign out everywhere: %d\n%s", res.StatusCode, res.Body)
	}
	for name, b := range map[string]*browser{"this": b, "the other": other} {
		if page := b.get("/account").Body; !strings.Contains(page, "to see where you are signed in") {
			t.Errorf("%s browser is still signed in:\n%s", name, page)
		}
	}
	if res := g.refresh(first["refresh_token"]); res.StatusCode != http.StatusBadRequest {
		t.Errorf("after signing out everywhere: %d", res.StatusCode)
	}
}

// What began before the person signed in again belongs to this browser as before.
func TestAccountAfterAnotherLogin(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	b.tokensOf()
	b.tokensOf("prompt", "login")
	page := b.get("/account").Body
	if got := strings.Count(page, "Signed in from this browser"); got != 2 {
		t.Errorf("%d of two are this browser's:\n%s", got, page)
	}
}

func TestAccountAsksWhoIsThere(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	res := b.signIn("/account", "alice", testPassword)
	if to, _ := location(t, res); to != "/account" {
		t.Fatalf("the login leads to %s", to)
	}
	if page := b.get("/account").Body; !strings.Contains(page, "No application keeps you signed in") || !strings.Contains(page, "Alice") {
		t.Errorf("page\n%s", page)
	}
}

// WEB-08, WEB-11, WEB-18: only the page's own form signs anybody out.
func TestAttackAccountForms(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	mine := b.tokensOf()
	mallory := g.browser()
	_, q := location(t, mallory.signIn(authorizeURL(), "bob", testPassword))
	if res := g.exchange(q.Get("code")); res.StatusCode != http.StatusOK {
		t.Fatal(res.Body)
	}
	page := b.get("/account").Body
	action, fields := form(t, page)
	fields.Set("end", applications(page)[0])
	_, theirs := form(t, mallory.get("/account").Body)
	theirs.Set("end", applications(page)[0])

	for _, tt := range []struct {
		name    string
		send    func() *wiretest.Answer
		refused bool
	}{
		{"no ticket", func() *wiretest.Answer { return b.post(action, url.Values{"end": fields["end"]}) }, true},
		{"no ticket, everywhere", func() *wiretest.Answer { return b.post(action, url.Values{"action": {"everywhere"}}) }, true},
		{"another browser's ticket", func() *wiretest.Answer {
			f := url.Values{"request": theirs["request"], "end": fields["end"]}
			return b.post(action, f)
		}, true},
		{"another site", func() *wiretest.Answer { return b.post(action, fields, "Sec-Fetch-Site", "cross-site") }, true},
		{"another origin", func() *wiretest.Answer { return b.post(action, fields, "Origin", "https://evil.example") }, true},
		{"nothing named", func() *wiretest.Answer { return b.post(action, url.Values{"request": fields["request"]}) }, true},
		{"by address", func() *wiretest.Answer { return b.get("/account?end=" + fields.Get("end") + "&action=everywhere") }, false},
		{"another person's form", func() *wiretest.Answer { return mallory.post(action, theirs) }, false},
		{"a copied form without the session", func() *wiretest.Answer { return g.browser().post(action, fields) }, true},
	} {
		res := tt.send()
		if refused := res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusBadRequest; refused != tt.refused {
			t.Errorf("%s: status %d", tt.name, res.StatusCode)
		}
	}
	res := g.refresh(mine["refresh_token"])
	if res.StatusCode != http.StatusOK {
		t.Errorf("alice's application was signed out: %s", res.Body)
	}
	page2 := b.get("/account")
	for _, header := range []string{"Content-Security-Policy", "X-Frame-Options", "Cache-Control"} {
		if page2.Header.Get(header) == "" {
			t.Errorf("no %s", header)
		}
	}
	if page2.Header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(page2.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("headers %v", page2.Header)
	}
}
