package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// M-24 at a refresh: scopes are cut and never refused, and a token for nothing is none. Where nothing of
// the API is left it gets what it gets unasked, or else what was granted.
func TestM24RefreshCuts(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	const redirect = "http://localhost:1/callback"
	for granted, cases := range map[string]map[string]string{
		"openid orders:read orders:write": {
			"":                     "openid offline_access orders:read orders:write",
			"orders:write":         "orders:write",
			"claudeai":             "orders:read",
			"offline_access":       "offline_access orders:read",
			"openid profile":       "openid orders:read",
			`bad"scope`:            "orders:read",
			"orders:write unknown": "orders:write",
		},
		"orders:write": {"claudeai": "orders:write", "offline_access": "offline_access orders:write", "orders:read": "orders:write"},
	} {
		res := g.exchangeFor(id, redirect, g.browser().agree(strangerURL(id, redirect, "scope", granted)).Get("code"))
		refresh, _ := jsonOf(t, res)["refresh_token"].(string)
		for asked, want := range cases {
			v := url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {refresh}}
			if asked != "" {
				v.Set("scope", asked)
			}
			res := g.post("/token", v)
			got := jsonOf(t, res)
			if scope, _ := got["scope"].(string); res.StatusCode != http.StatusOK || !sameScopes(strings.Fields(scope), want) {
				t.Fatalf("%q of %q: status %d %s; want %q", asked, granted, res.StatusCode, res.Body, want)
			}
			refresh, _ = got["refresh_token"].(string)
		}
	}
}

// RED-12, M-10: a link alone opens no program by a scheme that anybody may register: what goes wrong before a
// page was seen is told to the person.
func TestRED12M10NoProgramIsOpenedUnasked(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(`{"redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","http://localhost/cb","https://claude.ai/cb"],"client_name":"Cursor"}`)["client_id"].(string)
	const private = "cursor://anysphere.cursor-mcp/oauth/callback"
	signedIn := g.browser()
	signedIn.agree(strangerURL(id, "http://localhost:1/cb"))
	for name, change := range map[string][]string{
		"prompt=none":       {"prompt", "none"},
		"response_type":     {"response_type", "token"},
		"no challenge":      {"code_challenge", "", "code_challenge_method", ""},
		"two of a resource": {"resource", testAPI, "audience", "https://other.example/"},
		"request":           {"request", "x"},
	} {
		for who, b := range map[string]*browser{"nobody": g.browser(), "alice": signedIn} {
			res := b.get(strangerURL(id, private, change...))
			if res.StatusCode != http.StatusBadRequest || res.Header.Get("Location") != "" || !strings.Contains(res.Body, "<html") || strings.Contains(res.Body, "cursor://") {
				t.Errorf("%s, %s: status %d, sent to %q:\n%s", name, who, res.StatusCode, res.Header.Get("Location"), res.Body)
			}
			for _, redirect := range []string{"http://localhost:1/cb", "https://claude.ai/cb"} { // which no program is opened by
				if to, q := location(t, b.get(strangerURL(id, redirect, change...))); to != redirect || q.Get("error") == "" {
					t.Errorf("%s, %s: sent to %s: %v", name, who, to, q)
				}
			}
		}
	}
	page := signedIn.get(strangerURL(id, private)) // who has seen the page, and says no, goes back there
	action, fields := form(t, page.Body)
	fields.Set("action", "deny")
	if to, q := location(t, signedIn.post(action, fields)); to != private || q.Get("error") != "access_denied" {
		t.Errorf("refused by the person: %s %v", to, q)
	}
	if q := signedIn.agree(strangerURL(id, private)); q.Get("code") == "" {
		t.Errorf("let in: %v", q)
	}
}
