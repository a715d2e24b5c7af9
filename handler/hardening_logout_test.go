package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// WEB-10: no link or image on another site logs anybody out.
func TestHardeningWEB10(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	signedIn := func() bool {
		_, q := location(t, b.get(authorizeURL("prompt", "none")))
		return q.Get("code") != ""
	}
	image := []string{"Sec-Fetch-Dest", "image", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "cross-site"}
	v2 := "/v2/logout?client_id=spa&returnTo=" + url.QueryEscape(spaOrigin+"/")
	for _, tc := range []struct {
		name, target string
		headers      []string
	}{
		{"no parameters", "/oidc/logout", nil},
		{"image", "/oidc/logout", image},
		{"registered address without a hint", "/oidc/logout?client_id=spa&post_logout_redirect_uri=" + url.QueryEscape(spaOrigin+"/"), nil},
		{"Auth0's, no parameters", "/v2/logout", nil},
		{"Auth0's, no address", "/v2/logout?client_id=spa", nil},
		{"Auth0's, image", v2, image},
		{"Auth0's, frame", v2, []string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			page := wantPage(t, b.get(tc.target, tc.headers...), http.StatusOK)
			if !strings.Contains(page, `value="logout"`) {
				t.Errorf("no question:\n%s", page)
			}
			if !signedIn() {
				t.Fatal("signed out without a question")
			}
		})
	}
	action, fields := form(t, b.get("/oidc/logout").Body)
	fields.Set("action", "logout")
	wantPage(t, g.browser().post(action, fields), http.StatusForbidden)
	fields.Set("action", "cancel")
	wantPage(t, b.post(action, fields), http.StatusOK)
	if !signedIn() {
		t.Error("signed out by the button that says no")
	}
	fields.Set("action", "logout")
	wantPage(t, b.post(action, fields), http.StatusOK)
	if signedIn() {
		t.Error("still signed in after saying yes")
	}
}

// RED-16, RED-17: where a logout may lead.
func TestHardeningRED16And17(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	registered := spaOrigin + "/bye?x=1"
	tok := b.tokensOf()
	hint := tok["id_token"].(string)
	target := func(params ...string) string {
		q := make(url.Values)
		for i := 0; i < len(params); i += 2 {
			q.Add(params[i], params[i+1])
		}
		return "/oidc/logout?" + q.Encode()
	}
	parts := strings.Split(hint, ".")
	for _, tc := range []struct {
		name, target string
		status       int
	}{
		{"no hint", target("post_logout_redirect_uri", registered), 200},
		{"modified hint", target("id_token_hint", parts[0]+"."+parts[1]+".AAAA", "post_logout_redirect_uri", registered), 400},
		{"alg none", target("id_token_hint", "eyJhbGciOiJub25lIn0."+parts[1]+".", "post_logout_redirect_uri", registered), 400},
		{"access token as hint", target("id_token_hint", tok["access_token"].(string), "post_logout_redirect_uri", registered), 400},
		{"other client", target("id_token_hint", hint, "client_id", "web", "post_logout_redirect_uri", registered), 400},
		{"repeated", target("id_token_hint", hint, "post_logout_redirect_uri", registered, "post_logout_redirect_uri", registered), 400},
		{"Auth0's unregistered", "/v2/logout?client_id=spa&returnTo=https%3A%2F%2Fevil.example", 400},
		{"Auth0's unknown client", "/v2/logout?client_id=nobody&returnTo=" + url.QueryEscape(registered), 400},
		{"Auth0's without client", "/v2/logout?returnTo=" + url.QueryEscape(registered), 400},
	} {
		t.Run(tc.name, func(t *testing.T) { wantPage(t, b.get(tc.target), tc.status) })
	}
	session := b.clone()
	to, q := location(t, b.get(target("id_token_hint", hint, "post_logout_redirect_uri", registered, "state", "a b&c")))
	if to != spaOrigin+"/bye" || q.Get("x") != "1" || q.Get("state") != "a b&c" {
		t.Errorf("logout goes to %s %v", to, q)
	}
	// WEB-18, RED-17: a copy of the cookie, the refresh and the access token are dead.
	if _, q := location(t, session.get(authorizeURL("prompt", "none"))); q.Get("error") != "login_required" {
		t.Errorf("a copied cookie after logout: %v", q)
	}
	wantOAuthError(t, g.post("/oauth/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {tok["refresh_token"].(string)},
	}), http.StatusBadRequest, "invalid_grant")
	// Unregistered, with a good hint: signed out, and never sent there.
	for _, uri := range []string{"https://evil.example/", registered + "&y=1", spaOrigin + "/bye"} {
		page := wantPage(t, b.get(target("id_token_hint", hint, "post_logout_redirect_uri", uri)), http.StatusOK)
		if strings.Contains(withoutCode.ReplaceAllString(page, ""), "evil") {
			t.Error("the page repeats the address, and not as mere text")
		}
	}
	// P7: no hint and no client_id: the address may well be registered, and the page does not deny it.
	b.tokensOf()
	action, fields := form(t, b.get(target("post_logout_redirect_uri", registered)).Body)
	fields.Set("action", "logout")
	text := wantPage(t, b.post(action, fields), http.StatusOK)
	if !strings.Contains(text, "did not show that the address is its own") || strings.Contains(text, "not registered") {
		t.Errorf("P7: %s", text)
	}
}

func TestAuth0Logout(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	res := b.get("/v2/logout?client_id=spa&returnTo="+url.QueryEscape(spaOrigin+"/"), "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate")
	if to, _ := location(t, res); to != spaOrigin+"/" {
		t.Errorf("logout goes to %s", to)
	}
	if b.cookies[g.cookies.session] != nil {
		t.Error("the session cookie is still there")
	}
}

// S5: a hint whose key is gone, as of a store that was emptied, is as good as none:
// the person is asked, and goes on where the client's registration allows.
func TestHintWhoseKeyIsGone(t *testing.T) {
	g := newGateway(t)
	hint := newGateway(t).browser().tokensOf()["id_token"].(string)
	b := g.browser()
	location(t, b.signIn(authorizeURL("id_token_hint", hint), "alice", testPassword))
	if _, q := location(t, b.get(authorizeURL("id_token_hint", hint))); q.Get("code") == "" {
		t.Errorf("authorize: %v", q)
	}
	wantRedirectError(t, b.get(authorizeURL("id_token_hint", hint, "prompt", "none")), "login_required")

	page := wantPage(t, b.get("/oidc/logout?client_id=spa&post_logout_redirect_uri="+url.QueryEscape(spaOrigin+"/")+"&id_token_hint="+hint), http.StatusOK)
	if _, q := location(t, b.get(authorizeURL("prompt", "none"))); q.Get("code") == "" {
		t.Fatal("signed out by a hint that proves nothing")
	}
	action, fields := form(t, page)
	fields.Set("action", "logout")
	if to, _ := location(t, b.post(action, fields)); to != spaOrigin+"/" {
		t.Errorf("logout goes to %s", to)
	}
	wantRedirectError(t, b.get(authorizeURL("prompt", "none")), "login_required")
}

// A hint that names somebody else than who is signed in: they are asked.
func TestLogoutOfSomebodyElse(t *testing.T) {
	g := newGateway(t)
	alice, bob := g.browser(), g.browser()
	hint := alice.tokensOf()["id_token"].(string)
	location(t, bob.signIn(authorizeURL(), "bob", testPassword))
	page := wantPage(t, bob.get("/oidc/logout?id_token_hint="+hint), http.StatusOK)
	if !strings.Contains(page, `value="logout"`) || !strings.Contains(page, "bob") {
		t.Errorf("no question:\n%s", page)
	}
}
