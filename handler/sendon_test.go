package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var crossSite = []string{"Origin", spaOrigin, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}

// crossPost is what a browser sends when a form of another site is posted: not our
// SameSite cookies. Cookies that come back are kept, as a browser does.
func (b *browser) crossPost(target string, form url.Values) (location string, body string) {
	b.g.t.Helper()
	res := b.g.post(target, form, crossSite...)
	for _, c := range res.Cookies {
		b.g.t.Errorf("%s: the cookie %s replaces what the browser has and did not send", target, c.Name)
	}
	return res.Header.Get("Location"), res.Body
}

// S11: a POST of another site becomes a GET of the same, with our cookies.
func TestCrossSiteAuthorize(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	_, query, _ := strings.Cut(authorizeURL("state", "a b&c"), "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	q["resource"] = []string{testAPI, testAPI + "/"}
	to, _ := b.crossPost("/authorize", q)
	_, got := location(t, b.signIn(strings.TrimPrefix(to, "https://auth.example.com"), "alice", testPassword))
	if got.Get("code") == "" || got.Get("state") != "a b&c" {
		t.Errorf("after the login: %v", got)
	}
	to, _ = b.crossPost("/oauth/authorize", q)
	if to != testIssuer+"authorize?"+q.Encode() {
		t.Fatalf("sent to %s", to)
	}
	if _, got := location(t, b.get(to)); got.Get("code") == "" {
		t.Errorf("signed in before: %v", got)
	}
	// With our cookies nothing is sent on, and no ID token is put in a URL.
	if _, got := location(t, b.post("/authorize", q, crossSite...)); got.Get("code") == "" {
		t.Errorf("with cookies: %v", got)
	}
	for name, value := range map[string]string{"id_token_hint": b.tokensOf("prompt", "login")["id_token"].(string), "claims": `{"a":"` + strings.Repeat("x", 5000) + `"}`} {
		to, page := b.crossPost("/authorize", url.Values{name: {value}})
		action, fields := form(t, page)
		if to != "" || action != testIssuer+"authorize" || fields.Get(name) != value {
			t.Errorf("%s: sent to %q, page to %s", name, to, action)
		}
	}
}

// S11: nothing is said to be done that was not. WEB-10 holds as by GET.
func TestCrossSiteLogout(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	hint := b.tokensOf()["id_token"].(string)
	signedIn := func() bool {
		_, q := location(t, b.get(authorizeURL("prompt", "none")))
		return q.Get("code") != ""
	}
	q := url.Values{"client_id": {"spa"}, "post_logout_redirect_uri": {spaOrigin + "/"}, "state": {"x"}}
	to, page := b.crossPost("/oidc/logout", q)
	if to != testIssuer+"oidc/logout?"+q.Encode() || strings.Contains(page, "signed out") {
		t.Fatalf("sent to %q:\n%s", to, page)
	}
	if page := wantPage(t, b.get(to), http.StatusOK); !strings.Contains(page, `value="logout"`) || !signedIn() {
		t.Errorf("not asked:\n%s", page)
	}
	q.Set("id_token_hint", hint)
	to, page = b.crossPost("/oidc/logout", q)
	action, fields := form(t, page)
	if to != "" || action != testIssuer+"oidc/logout" || fields.Encode() != q.Encode() || strings.Contains(page, "signed out") || !signedIn() {
		t.Fatalf("sent to %q, page to %s with %v", to, action, fields)
	}
	if to, got := location(t, b.post(action, fields, "Origin", "https://auth.example.com", "Sec-Fetch-Site", "same-origin")); to != spaOrigin+"/" || got.Get("state") != "x" {
		t.Errorf("logout goes to %s %v", to, got)
	}
	if signedIn() {
		t.Error("still signed in")
	}
}

// A browser that never sends cookies, nor says where a form is from, does not go round in circles.
func TestSendOnEnds(t *testing.T) {
	g := newGateway(t)
	_, query, _ := strings.Cut(authorizeURL(), "?")
	q, _ := url.ParseQuery(query)
	q.Set("id_token_hint", g.browser().tokensOf()["id_token"].(string))
	for _, headers := range [][]string{nil, {"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://auth.example.com"}} {
		if page := wantPage(t, g.post("/authorize", q, headers...), http.StatusOK); !strings.Contains(page, `type="password"`) {
			t.Errorf("%v: no login page:\n%s", headers, page)
		}
	}
}
