package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The origins of two apps that keep their refresh tokens in cookies.
const (
	cookieOrigin = "https://cookie.example.com"
	shopOrigin   = "https://shop.example.com"
)

func withCookieClients(core *tokens.Config, _ *Config) {
	refresh := clients.RefreshPolicy{
		Rotation: true, Leeway: 10 * time.Second, Lifetime: 24 * time.Hour, IdleLifetime: time.Hour, MaxActive: 10, Cookie: true,
	}
	for id, origin := range map[string]string{"cookie": cookieOrigin, "shop": shopOrigin} {
		core.Clients = append(core.Clients, &clients.Client{
			ID: id, Type: clients.SPA, RedirectURIs: []string{origin + "/cb"}, LogoutURIs: []string{origin + "/"}, Origins: []string{origin},
			APIs: []string{testAPI}, OIDCConformant: true, Refresh: refresh,
		})
	}
}

// code signs a person in, or goes by their session, and returns a code for a client.
func (b *browser) code(client, origin string, change ...string) string {
	b.g.t.Helper()
	target := authorizeURL(append([]string{"client_id", client, "redirect_uri", origin + "/cb"}, change...)...)
	res := b.get(target)
	if res.StatusCode == http.StatusOK {
		res = b.signIn(target, "alice", testPassword)
	}
	_, q := location(b.g.t, res)
	return q.Get("code")
}

// redeem redeems a code as a page does, with credentials.
func (b *browser) redeem(client, origin, code string, headers ...string) *wiretest.Answer {
	b.g.t.Helper()
	return b.post("/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {client}, "code": {code}, "redirect_uri": {origin + "/cb"}, "code_verifier": {testVerifier},
	}, append([]string{"Origin", origin, "Sec-Fetch-Site", "same-site"}, headers...)...)
}

func (b *browser) open(client, origin string, change ...string) map[string]any {
	b.g.t.Helper()
	res := b.redeem(client, origin, b.code(client, origin, change...))
	if res.StatusCode != http.StatusOK {
		b.g.t.Fatalf("token: status %d %s", res.StatusCode, res.Body)
	}
	return jsonOf(b.g.t, res)
}

// renew asks for an access token by the cookie.
func (b *browser) renew(client, origin string, change ...string) *wiretest.Answer {
	b.g.t.Helper()
	form := url.Values{"client_id": {client}}
	for i := 0; i < len(change); i += 2 {
		form.Add(change[i], change[i+1])
	}
	return b.post("/oauth/refresh", form, "Origin", origin, "Sec-Fetch-Site", "same-site")
}

func (g *gateway) refreshName(client string) string {
	c, _ := g.Issuer.Configured(client)
	return g.cookies.refresh(c)
}

// held is the refresh token that the browser keeps for a client, or "".
func (b *browser) held(client string) string {
	if c := b.cookies[b.g.refreshName(client)]; c != nil {
		return c.Value
	}
	return ""
}

func (b *browser) wantRenewed(client, origin string) *wiretest.Answer {
	b.g.t.Helper()
	res := b.renew(client, origin)
	body := jsonOf(b.g.t, res)
	if res.StatusCode != http.StatusOK || body["access_token"] == nil || body["id_token"] == nil || body["refresh_token"] != nil {
		b.g.t.Fatalf("refresh: %d %s", res.StatusCode, res.Body)
	}
	return res
}

func wantSet(t *testing.T, res *wiretest.Answer, want int) {
	t.Helper()
	if n := len(res.Header.Values("Set-Cookie")); n != want {
		t.Errorf("%d cookies are set, want %d: %v", n, want, res.Header.Values("Set-Cookie"))
	}
}

func TestRefreshByCookie(t *testing.T) {
	g := newGateway(t, withCookieClients)
	b := g.browser()
	res := b.redeem("cookie", cookieOrigin, b.code("cookie", cookieOrigin))
	if body := jsonOf(t, res); body["refresh_token"] != nil || body["access_token"] == nil || strings.Contains(res.Body, "rt1.") {
		t.Fatalf("token response: %s", res.Body)
	}
	wantSet(t, res, 1)
	set := res.Cookies[0]
	if !strings.HasPrefix(set.Name, "__Host-gatehouse_refresh_") || len(set.Name) > 50 || !set.HttpOnly || !set.Secure || set.Path != "/" || set.Domain != "" ||
		set.SameSite != http.SameSiteStrictMode || set.MaxAge != 3600 {
		t.Errorf("cookie: %v", res.Header["Set-Cookie"]) // WEB-12
	}
	h := res.Header
	if h.Get("Access-Control-Allow-Origin") != cookieOrigin || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", h)
	}
	first := b.held("cookie")

	wantSet(t, b.wantRenewed("cookie", cookieOrigin), 0) // young: nothing rotates
	if !g.heard.has(oauth.EventRefresh, "young") {
		t.Error("no event says that the token was young")
	}
	g.pass(11 * time.Second)
	lost := b.clone() // its answer gets lost
	wantSet(t, lost.wantRenewed("cookie", cookieOrigin), 1)
	wantSet(t, b.wantRenewed("cookie", cookieOrigin), 1)
	if second := b.held("cookie"); second == first || second != lost.held("cookie") {
		t.Error("the lost answer and its repetition have no common successor")
	}
	wantSet(t, b.wantRenewed("cookie", cookieOrigin), 0)
	g.pass(59 * time.Minute) // within the idle end
	b.wantRenewed("cookie", cookieOrigin)

	// RT-01: the cookie of a thief ends it all. A dead one stays in the browser:
	// a late answer must not take the cookie of a sign-in in another tab.
	thief := &browser{g: g, cookies: map[string]*http.Cookie{set.Name: set}}
	wantOAuthError(t, thief.renew("cookie", cookieOrigin), http.StatusBadRequest, "invalid_grant")
	for range 2 {
		wantOAuthError(t, b.renew("cookie", cookieOrigin), http.StatusBadRequest, "invalid_grant")
	}
	if thief.held("cookie") == "" || b.held("cookie") == "" {
		t.Error("an answer has taken the cookie away")
	}
}

// The same questions as at the token endpoint get the same answers, and none rotates.
func TestRefreshByCookieParameters(t *testing.T) {
	g := newGateway(t, withCookieClients)
	b := g.browser()
	b.open("cookie", cookieOrigin)
	g.pass(time.Minute)
	before := b.held("cookie")
	wantOAuthError(t, b.renew("cookie", cookieOrigin, "scope", "orders:write"), http.StatusBadRequest, "invalid_scope")
	wantOAuthError(t, b.renew("cookie", cookieOrigin, "audience", "https://nowhere.example"), http.StatusBadRequest, "invalid_target")
	wantOAuthError(t, b.renew("cookie", cookieOrigin, "scope", "openid", "scope", "email"), http.StatusBadRequest, "invalid_request")
	g.store.down.Store(true)
	res := b.renew("cookie", cookieOrigin)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("store down: %d %v", res.StatusCode, res.Header)
	}
	wantSet(t, res, 0)
	g.store.down.Store(false)
	if b.held("cookie") != before {
		t.Error("a refusal changed the cookie")
	}
	res = b.renew("cookie", cookieOrigin, "scope", "openid orders:read", "audience", testAPI)
	if body := jsonOf(t, res); res.StatusCode != http.StatusOK || body["scope"] != "openid orders:read" {
		t.Errorf("narrowed: %d %v", res.StatusCode, body)
	}
	asJSON := b.send(http.MethodPost, "/oauth/refresh", `{"client_id":"cookie"}`, "Content-Type", "application/json", "Origin", cookieOrigin)
	if asJSON.StatusCode != http.StatusOK {
		t.Errorf("JSON body: %d %s", asJSON.StatusCode, asJSON.Body)
	}
}

// Every request that does not come from a page of the client is refused, and
// changes nothing.
func TestHardeningRefreshByCookie(t *testing.T) {
	g := newGateway(t, withCookieClients)
	b := g.browser()
	b.open("cookie", cookieOrigin)
	g.pass(time.Minute)
	before := b.held("cookie")
	const body = "client_id=cookie"
	for _, tc := range []struct {
		name    string
		method  string
		body    string
		headers []string
		status  int
		code    string
		allowed string // Access-Control-Allow-Origin
	}{
		{"no Origin", "POST", body, []string{"Content-Type", formType}, 403, "access_denied", ""},
		{"null", "POST", body, []string{"Content-Type", formType, "Origin", "null"}, 403, "access_denied", ""},
		{"another client's", "POST", body, []string{"Content-Type", formType, "Origin", shopOrigin}, 403, "access_denied", ""},
		{"the issuer's own", "POST", body, []string{"Content-Type", formType, "Origin", "https://auth.example.com"}, 403, "access_denied", ""},
		{"a neighbour", "POST", body, []string{"Content-Type", formType, "Origin", "https://evil.example.com"}, 403, "access_denied", ""},
		{"another scheme", "POST", body, []string{"Content-Type", formType, "Origin", "http://cookie.example.com"}, 403, "access_denied", ""},
		{"two Origins", "POST", body, []string{"Content-Type", formType, "Origin", cookieOrigin, "Origin", cookieOrigin}, 403, "access_denied", ""},
		{"cross-site", "POST", body, []string{"Content-Type", formType, "Origin", cookieOrigin, "Sec-Fetch-Site", "cross-site"}, 403, "access_denied", cookieOrigin},
		{"typed by a person", "POST", body, []string{"Content-Type", formType, "Origin", cookieOrigin, "Sec-Fetch-Site", "none"}, 403, "access_denied", cookieOrigin},
		{"text/plain", "POST", body, []string{"Content-Type", "text/plain", "Origin", cookieOrigin}, 400, "invalid_request", cookieOrigin},
		{"no Content-Type", "POST", body, []string{"Origin", cookieOrigin}, 400, "invalid_request", cookieOrigin},
		{"GET", "GET", "", []string{"Origin", cookieOrigin}, 405, "invalid_request", cookieOrigin},
		{"PUT", "PUT", body, []string{"Content-Type", formType, "Origin", cookieOrigin}, 405, "invalid_request", cookieOrigin},
		{"no client", "POST", "x=y", []string{"Content-Type", formType, "Origin", cookieOrigin}, 401, "invalid_client", cookieOrigin},
		{"unknown client", "POST", "client_id=nobody", []string{"Content-Type", formType, "Origin", cookieOrigin}, 401, "invalid_client", cookieOrigin},
		{"client without cookie", "POST", "client_id=spa", []string{"Content-Type", formType, "Origin", spaOrigin}, 400, "unauthorized_client", spaOrigin},
		{"client with a secret", "POST", "client_id=web&client_secret=" + webSecret, []string{"Content-Type", formType, "Origin", cookieOrigin}, 400, "unauthorized_client", ""},
		{"too large", "POST", body + "&x=" + strings.Repeat("a", wire.MaxBody), []string{"Content-Type", formType, "Origin", cookieOrigin}, 413, "invalid_request", cookieOrigin},
		{"token in the body", "POST", body + "&refresh_token=" + before, []string{"Content-Type", formType}, 403, "access_denied", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := b.clone().send(tc.method, "/oauth/refresh", tc.body, tc.headers...)
			wantOAuthError(t, res, tc.status, tc.code)
			wantSet(t, res, 0)
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != tc.allowed {
				t.Errorf("Access-Control-Allow-Origin %q, want %q", got, tc.allowed)
			}
			if credentials := res.Header.Get("Access-Control-Allow-Credentials"); (credentials != "") != (tc.allowed == cookieOrigin) {
				t.Errorf("Access-Control-Allow-Credentials %q", credentials)
			}
			if tc.status == http.StatusMethodNotAllowed && res.Header.Get("Allow") != "POST" {
				t.Errorf("Allow: %q", res.Header.Get("Allow"))
			}
		})
	}
	// The token is good nowhere but in the cookie.
	wantOAuthError(t, g.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"cookie"}, "refresh_token": {before}}, "Origin", cookieOrigin),
		http.StatusBadRequest, "unauthorized_client")
	wantOAuthError(t, g.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {before}}),
		http.StatusBadRequest, "invalid_grant")
	// RFC 6265bis: two cookies of one name mean that one was planted.
	name := g.refreshName("cookie")
	wantOAuthError(t, g.post("/oauth/refresh", url.Values{"client_id": {"cookie"}}, "Origin", cookieOrigin, "Cookie", name+"=x; "+name+"="+before),
		http.StatusBadRequest, "login_required")
	res := g.post("/oauth/refresh", url.Values{"client_id": {"cookie"}}, "Origin", cookieOrigin, "Cookie", name+"="+before+"x")
	wantOAuthError(t, res, http.StatusBadRequest, "invalid_grant")
	if b.wantRenewed("cookie", cookieOrigin); b.held("cookie") == before {
		t.Error("the token was not the first generation any more")
	}
}

// A code is redeemed from a page of the client only, and refused before it is spent.
func TestCookieCodeNeedsOrigin(t *testing.T) {
	g := newGateway(t, withCookieClients)
	b := g.browser()
	code := b.code("cookie", cookieOrigin)
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"cookie"}, "code": {code}, "redirect_uri": {cookieOrigin + "/cb"}, "code_verifier": {testVerifier},
	}
	for name, headers := range map[string][]string{
		"no Origin":        nil,
		"null":             {"Origin", "null"},
		"another client's": {"Origin", shopOrigin},
		"cross-site":       {"Origin", cookieOrigin, "Sec-Fetch-Site", "cross-site"},
	} {
		res := b.post("/oauth/token", form, headers...)
		if res.StatusCode != http.StatusForbidden || len(res.Cookies) > 0 {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
	}
	if res := b.redeem("cookie", cookieOrigin, code); res.StatusCode != http.StatusOK {
		t.Errorf("after refusals: %d %s", res.StatusCode, res.Body)
	}
}

func TestCookiePreflight(t *testing.T) {
	g := newGateway(t, withCookieClients)
	for _, tc := range []struct {
		name, target, origin, allowed, credentials string
	}{
		{"refresh", "/oauth/refresh", cookieOrigin, cookieOrigin, "true"},
		{"token", "/oauth/token", cookieOrigin, cookieOrigin, "true"},
		{"revoke", "/oauth/revoke", shopOrigin, shopOrigin, "true"},
		{"userinfo", "/userinfo", cookieOrigin, cookieOrigin, ""},
		{"keycloak-js", "/oauth/token", spaOrigin, spaOrigin, "true"}, // it always asks with credentials
		{"refresh of another client", "/oauth/refresh", spaOrigin, spaOrigin, ""},
		{"revoke of another client", "/oauth/revoke", spaOrigin, spaOrigin, ""},
		{"a stranger at the token endpoint", "/oauth/token", "https://evil.example.com", "", ""},
		{"a stranger", "/oauth/refresh", "https://evil.example.com", "", ""},
		{"discovery", "/.well-known/openid-configuration", cookieOrigin, "*", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := g.do(http.MethodOptions, tc.target, "", "Origin", tc.origin, "Access-Control-Request-Method", "POST").Header
			if h.Get("Access-Control-Allow-Origin") != tc.allowed || h.Get("Access-Control-Allow-Credentials") != tc.credentials {
				t.Errorf("%v", h)
			}
		})
	}
}

func TestCookiesOfTwoClients(t *testing.T) {
	g := newGateway(t, withCookieClients)
	b := g.browser()
	b.open("cookie", cookieOrigin)
	b.open("shop", shopOrigin)
	g.pass(time.Minute)
	b.wantRenewed("cookie", cookieOrigin)
	b.wantRenewed("shop", shopOrigin)
	// One's cookie under the other's name is worth nothing.
	mixed := b.clone()
	c := *mixed.cookies[g.refreshName("cookie")]
	c.Name = g.refreshName("shop")
	mixed.cookies[c.Name] = &c
	wantOAuthError(t, mixed.renew("shop", shopOrigin), http.StatusBadRequest, "invalid_grant")
	b.wantRenewed("cookie", cookieOrigin)
	b.wantRenewed("shop", shopOrigin)
}

func TestCookieLogout(t *testing.T) {
	for _, tc := range []struct {
		name string
		out  func(b *browser, tok map[string]any) *wiretest.Answer
		shop bool // the other app is signed out, too
	}{
		{"Auth0's", func(b *browser, _ map[string]any) *wiretest.Answer {
			return b.get("/v2/logout?client_id=cookie&returnTo=" + url.QueryEscape(cookieOrigin+"/"))
		}, true},
		{"with a hint", func(b *browser, tok map[string]any) *wiretest.Answer {
			return b.get("/oidc/logout?id_token_hint=" + tok["id_token"].(string))
		}, true},
		{"asked", func(b *browser, _ map[string]any) *wiretest.Answer {
			action, fields := form(b.g.t, b.get("/oidc/logout").Body)
			fields.Set("action", "logout")
			return b.post(action, fields)
		}, true},
		{"asked when only the cookies are left", func(b *browser, _ map[string]any) *wiretest.Answer {
			delete(b.cookies, b.g.cookies.session)
			action, fields := form(b.g.t, b.get("/oidc/logout").Body)
			fields.Set("action", "logout")
			return b.post(action, fields)
		}, true},
		{"revoked by the page", func(b *browser, _ map[string]any) *wiretest.Answer {
			return b.post("/oauth/revoke", url.Values{"client_id": {"cookie"}}, "Origin", cookieOrigin)
		}, false},
		{"revoked with its access token", func(b *browser, tok map[string]any) *wiretest.Answer {
			return b.post("/oauth/revoke", url.Values{"client_id": {"cookie"}, "token": {tok["access_token"].(string)}}, "Origin", cookieOrigin)
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t, withCookieClients)
			b := g.browser()
			b.open("shop", shopOrigin)
			tok := b.open("cookie", cookieOrigin)
			copied := b.clone()
			if res := tc.out(b, tok); res.StatusCode >= http.StatusBadRequest {
				t.Fatalf("status %d %s", res.StatusCode, res.Body)
			}
			if b.held("cookie") != "" || (b.held("shop") == "") != tc.shop {
				t.Error("the wrong cookies are left")
			}
			wantOAuthError(t, copied.renew("cookie", cookieOrigin), http.StatusBadRequest, "invalid_grant")
			res := g.do(http.MethodGet, "/userinfo", "", "Authorization", "Bearer "+tok["access_token"].(string))
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("access token after it: %d", res.StatusCode)
			}
		})
	}
}

// A page of another origin, or a link with somebody's old hint, ends nothing.
func TestCookieLogoutByOthers(t *testing.T) {
	g := newGateway(t, withCookieClients)
	b := g.browser()
	b.open("cookie", cookieOrigin)
	for _, origin := range []string{shopOrigin, "null", ""} {
		res := b.post("/oauth/revoke", url.Values{"client_id": {"cookie"}}, "Origin", origin)
		wantOAuthError(t, res, http.StatusBadRequest, "invalid_request")
	}
	bob := g.browser()
	_, q := location(t, bob.signIn(authorizeURL(), "bob", testPassword))
	hint := jsonOf(t, g.exchange(q.Get("code")))["id_token"].(string)
	delete(b.cookies, g.cookies.session)
	b.get("/oidc/logout?id_token_hint=" + hint)
	b.wantRenewed("cookie", cookieOrigin)
}

// A sign-in replaces the one before: nobody honest holds its token any more.
func TestCookieReplaced(t *testing.T) {
	g := newGateway(t, withCookieClients)
	b := g.browser()
	b.open("cookie", cookieOrigin)
	grants, err := g.Issuer.Grants(t.Context(), "local|alice")
	if err != nil || len(grants) != 1 {
		t.Fatal(grants, err)
	}
	before := b.clone()
	b.open("cookie", cookieOrigin)
	wantEnded(t, g, grants[0].ID, history.EndedByNext)
	if b.held("cookie") == before.held("cookie") {
		t.Fatal("the cookie was not replaced")
	}
	wantOAuthError(t, before.renew("cookie", cookieOrigin), http.StatusBadRequest, "invalid_grant")
	b.wantRenewed("cookie", cookieOrigin)
	// One without offline_access leaves no older person's token behind.
	last := b.clone()
	b.open("cookie", cookieOrigin, "scope", "openid orders:read")
	wantOAuthError(t, b.renew("cookie", cookieOrigin), http.StatusBadRequest, "login_required")
	wantOAuthError(t, last.renew("cookie", cookieOrigin), http.StatusBadRequest, "invalid_grant")
}

// wantEnded waits until a history, which is written behind the answers, says who
// has ended a family.
func wantEnded(t *testing.T, g *gateway, id storage.FamilyID, by string) {
	t.Helper()
	var e admin.Explanation
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		var err error
		if e, _, err = admin.New(g.Issuer, g.state).Explain(t.Context(), id.String()); err != nil {
			t.Fatal(err)
		}
		if n := len(e.History); n > 0 && e.Verdict == admin.VerdictEnded && e.History[n-1].By == by {
			return
		}
	}
	t.Errorf("%+v, want ended by %s", e, by)
}

func TestCookieWithoutEncryption(t *testing.T) {
	g := newGateway(t, withCookieClients, func(core *tokens.Config, cfg *Config) {
		core.Issuer, cfg.IssuerURL = "http://localhost:8080/", "http://localhost:8080/"
		for _, c := range core.Clients {
			c.Refresh.Lifetime, c.Refresh.IdleLifetime = 0, 0
		}
	})
	b := g.browser()
	res := b.redeem("cookie", cookieOrigin, b.code("cookie", cookieOrigin))
	wantSet(t, res, 1)
	if set := res.Cookies[0]; !strings.HasPrefix(set.Name, "gatehouse_refresh_") || set.Secure || set.MaxAge != 400*24*3600 || set.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie: %v", res.Header["Set-Cookie"])
	}
	b.wantRenewed("cookie", cookieOrigin)
}

func TestStripCookies(t *testing.T) {
	ours := cookieNames{secure: true}.refresh(&clients.Client{ID: "cookie"})
	for _, tc := range []struct{ name, in, want string }{
		{"refresh", ours + "=rt1.x", ""},
		{"refresh without encryption", "a=b; gatehouse_refresh_0011223344556677=rt1.x; c=d", "a=b; c=d"},
		{"all", "__Host-gatehouse_session=1; x=y; __Host-gatehouse_browser=2; " + ours + "=3", "x=y"},
		{"others'", "gatehouse_refresher=1; my_gatehouse_session=2", "gatehouse_refresher=1; my_gatehouse_session=2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{"Cookie": {tc.in}}
			wire.StripCookies(h)
			if got := h.Get("Cookie"); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
