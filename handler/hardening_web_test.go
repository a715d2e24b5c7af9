package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

func TestHardeningWEB03(t *testing.T) {
	g := newGateway(t)
	f := url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {"x"}}
	for _, tc := range []struct {
		name    string
		origins []string
		want    string
	}{
		{"registered", []string{spaOrigin}, spaOrigin},
		{"another client's", []string{"https://other.example.com"}, ""},
		{"null", []string{"null"}, ""},
		{"suffix", []string{"https://app.example.com.evil.com"}, ""},
		{"case", []string{"https://APP.example.com"}, ""},
		{"http", []string{"http://app.example.com"}, ""},
		{"port", []string{"https://app.example.com:8443"}, ""},
		{"two", []string{spaOrigin, spaOrigin}, ""},
		{"8 KiB", []string{"https://" + strings.Repeat("a", 8192)}, ""},
		{"none", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var headers []string
			for _, o := range tc.origins {
				headers = append(headers, "Origin", o)
			}
			for _, target := range []string{"/oauth/token", "/oauth/revoke"} {
				res := g.post(target, f, headers...)
				if got := res.Header.Get("Access-Control-Allow-Origin"); got != tc.want {
					t.Errorf("%s: Access-Control-Allow-Origin %q, want %q", target, got, tc.want)
				}
				if res.Header.Get("Vary") != "Origin" || res.Header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: %v", target, res.Header)
				}
			}
		})
	}
}

// Errors carry the headers too, also where no client is known yet; a preflight
// asks for the union of all clients' origins.
func TestCORSOfErrorsAndPreflights(t *testing.T) {
	g := newGateway(t)
	for name, res := range map[string]*answer{
		"malformed": g.do(http.MethodPost, "/oauth/token", "{", "Content-Type", "application/json", "Origin", spaOrigin),
		"too large": g.do(http.MethodPost, "/oauth/token", strings.Repeat("a", maxBody+1), "Content-Type", formType, "Origin", spaOrigin),
		"method":    g.do(http.MethodGet, "/oauth/token", "", "Origin", spaOrigin),
		"unknown":   g.post("/oauth/token", url.Values{"client_id": {"nobody"}}, "Origin", spaOrigin),
		"userinfo":  g.do(http.MethodGet, "/userinfo", "", "Origin", spaOrigin),
	} {
		if res.Header.Get("Access-Control-Allow-Origin") != spaOrigin || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
	}
	for _, target := range []string{"/oauth/token", "/oauth/revoke", "/userinfo"} {
		res := g.do(http.MethodOptions, target, "", "Origin", "https://other.example.com",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "auth0-client,content-type")
		h := res.Header
		if res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://other.example.com" ||
			!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Auth0-Client") || h.Get("Access-Control-Max-Age") == "" {
			t.Errorf("%s: %d %v", target, res.StatusCode, h)
		}
		res = g.do(http.MethodOptions, target, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
		if res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s for a stranger: %v", target, res.Header)
		}
	}
	if res := g.post("/oauth/introspect", nil, "Origin", spaOrigin); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("introspection is for servers, not for pages")
	}
	tok := g.browser().tokensOf()
	bearer := "Bearer " + tok["access_token"].(string)
	if res := g.do(http.MethodGet, "/userinfo", "", "Authorization", bearer, "Origin", "https://other.example.com"); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another client's page may read who is signed in")
	}
}

func TestHardeningWEB05And06(t *testing.T) {
	g := newGateway(t)
	for _, target := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server"} {
		res := g.do(http.MethodGet, target, "", "Origin", "https://evil.example")
		if res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", target, res.Header)
		}
	}
	for _, target := range []string{authorizeURL(), "/login", "/consent", "/oidc/logout", "/v2/logout"} {
		wantProtected(t, g.do(http.MethodGet, target, "", "Origin", spaOrigin))
	}
}

func TestHardeningWEB08And09(t *testing.T) {
	g := newGateway(t)
	b, attacker := g.browser(), g.browser()
	action, fields := form(t, b.get(authorizeURL()).body)
	_, theirs := form(t, attacker.get(authorizeURL()).body)
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
	wantPage(t, b.get("/login?"+fields.Encode()), http.StatusOK) // only says to start at the application
	if n := g.store.writes.Load(); n != 0 {
		t.Errorf("%d writes to the store", n)
	}
	location(t, b.post(action, fields, "Origin", "https://auth.example.com", "Sec-Fetch-Site", "same-origin"))
	_, logout := form(t, b.get("/oidc/logout").body)
	fields.Set("request", logout.Get("request")) // another form's ticket
	wantPage(t, b.post(action, fields), http.StatusForbidden)
}

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
	action, fields := form(t, b.get("/oidc/logout").body)
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
		if strings.Contains(page, "evil") {
			t.Error("the page repeats the address")
		}
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

func TestHardeningHDR10And11(t *testing.T) {
	g := newGateway(t)
	evil := []string{
		"X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example;proto=http", "X-Forwarded-Proto", "evil",
		"X-Forwarded-Prefix", "/evil", "X-Original-URL", "/evil",
	}
	b := g.browser()
	for _, target := range []string{"http://evil.example/.well-known/openid-configuration", "http://evil.example" + authorizeURL()} {
		res := b.get(target, evil...)
		if body := res.body; strings.Contains(body, "evil") {
			t.Errorf("%s: a header shows in\n%s", target, body)
		}
	}
	res := b.signIn(authorizeURL(), "alice", testPassword, evil...)
	if to, q := location(t, res); to != spaRedirect || q.Get("iss") != testIssuer {
		t.Errorf("redirect to %s %v", to, q)
	}
	if c := b.cookies["__Host-gatehouse_session"]; c == nil || !c.Secure {
		t.Errorf("session cookie %v", c)
	}
}

func TestHardeningLOG01And03(t *testing.T) {
	g := newGateway(t)
	evil := `"><img src=x onerror=alert(1)>{{7*7}}{env.HOME}`
	page := g.browser().signIn(authorizeURL(), evil, evil).body
	if strings.Contains(page, "<img src=x") || !strings.Contains(page, "{{7*7}}{env.HOME}") {
		t.Errorf("not escaped:\n%s", page)
	}
	var pages []string
	for _, user := range []string{"alice", "nobody"} {
		res := g.browser().signIn(authorizeURL(), user, "wrong")
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", user, res.StatusCode)
		}
		page := hiddenField.ReplaceAllString(res.body, "")
		pages = append(pages, strings.ReplaceAll(page, user, "NAME"))
		if strings.Contains(page, "wrong\"") {
			t.Error("the password comes back")
		}
	}
	if pages[0] != pages[1] {
		t.Error("the pages of a known and an unknown name differ")
	}
	if !g.heard.has(tokens.EventLogin, "failed") {
		t.Error("no event")
	}
}

// LOG-07: the address is what ClientIP says, whatever X-Forwarded-For claims.
func TestHardeningLOG07(t *testing.T) {
	g := newGateway(t)
	var last *answer
	for i := range 6 {
		last = g.browser().signIn(authorizeURL(), "alice", "wrong", "X-Forwarded-For", "192.0.2."+string(rune('0'+i)))
	}
	if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
		t.Errorf("the sixth try: %d %v", last.StatusCode, last.Header)
	}
	if !g.heard.has(tokens.EventLogin, "delayed") {
		t.Error("no event")
	}
}

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
	action, fields := form(t, b.get(authorizeURL()).body)
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

func TestUserinfoErrors(t *testing.T) {
	g := newGateway(t)
	tok := g.browser().tokensOf()
	access := tok["access_token"].(string)
	machine := jsonOf(t, g.post("/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {webSecret}, "audience": {testAPI},
	}))["access_token"].(string)
	for _, tc := range []struct {
		name    string
		headers []string
		target  string
		status  int
		want    string // in the challenge
	}{
		{"none", nil, "/userinfo", 401, `Bearer realm="https://auth.example.com/"`},
		{"bad", []string{"Authorization", "Bearer x"}, "/userinfo", 401, `error="invalid_token"`},
		{"in the URL", nil, "/userinfo?access_token=" + access, 401, `Bearer realm="https://auth.example.com/"`},
		{"twice", []string{"Authorization", "Bearer " + access}, "/userinfo?access_token=" + access, 400, `error="invalid_request"`},
		{"no openid", []string{"Authorization", "Bearer " + machine}, "/userinfo", 403, `error="insufficient_scope"`},
		{"ID token", []string{"Authorization", "Bearer " + tok["id_token"].(string)}, "/userinfo", 401, `error="invalid_token"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := g.do(http.MethodPost, tc.target, "", tc.headers...)
			if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != tc.status || !strings.Contains(got, tc.want) {
				t.Errorf("%d %q, want %d %s", res.StatusCode, got, tc.status, tc.want)
			}
			if tc.name == "none" && strings.Contains(res.Header.Get("WWW-Authenticate"), "error") {
				t.Error("a bare challenge has no error")
			}
		})
	}
}
