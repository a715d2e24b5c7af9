package handler

import (
	"cmp"
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

// M15: Auth0's endpoint, in all the ways in which it is asked. It signs out at once where the
// application and the address are registered and a person sees what happens.
func TestM15Auth0Logout(t *testing.T) {
	g := newGateway(t)
	registered := url.QueryEscape(spaOrigin + "/")
	opens := []string{"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate"}
	from := func(site string, more ...string) []string {
		return append(append([]string{"Sec-Fetch-Site", site}, opens...), more...)
	}
	const asks, says, goes = "asks", "says", "goes"
	for _, tc := range []struct {
		name, query string
		headers     []string
		method      string
		status      int
		in, out     string // what it does to who is signed in, and to who is not
	}{
		{name: "a link of the application", query: "client_id=spa&returnTo=" + registered, headers: from("cross-site"), in: goes, out: goes},
		{name: "an old browser", query: "client_id=spa&returnTo=" + registered, in: goes, out: goes},
		{name: "unknown parameters", query: "client_id=spa&federated&auth0Client=x&returnTo=" + registered, headers: opens, in: goes, out: goes},
		{name: "no address", query: "client_id=spa", headers: from("cross-site"), in: asks, out: says},
		{name: "empty address", query: "client_id=spa&returnTo=", headers: opens, in: asks, out: says},
		{name: "nothing", headers: from("none"), in: asks, out: says},
		{name: "no client", query: "returnTo=" + registered, headers: opens, status: http.StatusBadRequest},
		{name: "unknown client", query: "client_id=nobody&returnTo=" + registered, headers: opens, status: http.StatusBadRequest},
		{name: "unknown client, no address", query: "client_id=nobody", headers: opens, status: http.StatusBadRequest},
		{name: "another client's address", query: "client_id=web&returnTo=" + registered, headers: opens, status: http.StatusBadRequest},
		{name: "unregistered", query: "client_id=spa&returnTo=https%3A%2F%2Fevil.example", headers: opens, status: http.StatusBadRequest},
		{name: "twice", query: "client_id=spa&returnTo=" + registered + "&returnTo=" + registered, headers: opens, status: http.StatusBadRequest},
		{name: "an image", query: "client_id=spa&returnTo=" + registered, headers: []string{"Sec-Fetch-Dest", "image", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "cross-site"}, in: asks, out: says},
		{name: "a fetch", query: "client_id=spa&returnTo=" + registered, headers: []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "cross-site"}, in: asks, out: says},
		{name: "an address that somebody begins to type", query: "client_id=spa&returnTo=" + registered, headers: from("none", "Sec-Purpose", "prefetch;prerender"), status: http.StatusForbidden},
		{name: "a form of another site", query: "client_id=spa&returnTo=" + registered, method: http.MethodPost, status: http.StatusMethodNotAllowed},
		{name: "HEAD", query: "client_id=spa&returnTo=" + registered, method: http.MethodHead, status: http.StatusMethodNotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target := "/v2/logout?" + tc.query
			for name, want := range map[string]string{"in": tc.in, "out": tc.out} {
				b := g.browser()
				if name == "in" {
					location(t, b.signIn(authorizeURL(), "alice", testPassword))
				}
				res := b.send(cmp.Or(tc.method, http.MethodGet), target, "", tc.headers...)
				switch want {
				case "":
					if res.StatusCode != tc.status {
						t.Errorf("%s: status %d", name, res.StatusCode)
					}
				case goes:
					if to, _ := location(t, res); to != spaOrigin+"/" || b.signedIn() {
						t.Errorf("%s: goes to %s, signed in: %t", name, to, b.signedIn())
					}
				default:
					text := wantPage(t, res, http.StatusOK)
					if asked := strings.Contains(text, `value="logout"`); asked != (want == asks) || !asked && !strings.Contains(text, "You are signed out") {
						t.Errorf("%s: %s", name, text)
					}
				}
				if name == "in" && want != goes && !b.signedIn() {
					t.Error("signed out")
				}
			}
		})
	}
	if res := g.browser().get("/oidc/logout", "Sec-Purpose", "prefetch"); res.StatusCode != http.StatusForbidden {
		t.Errorf("/oidc/logout ahead: status %d", res.StatusCode)
	}
	// A session that was ended elsewhere leaves no cookie behind.
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	if err := g.Issuer.SignOut(t.Context(), b.cookies[g.cookies.session].Value); err != nil {
		t.Fatal(err)
	}
	if wantPage(t, b.get("/v2/logout?client_id=spa"), http.StatusOK); b.cookies[g.cookies.session] != nil {
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
