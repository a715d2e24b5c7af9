package handler

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// registering lets programs register themselves.
func registering(core *tokens.Config, _ *Config) {
	core.Registration = &clients.Policy{
		APIs: []string{testAPI}, Usual: []string{"orders:read"}, RedirectHosts: []string{"claude.ai", "vscode.dev", "insiders.vscode.dev", "www.cursor.com"},
		Refresh: clients.RefreshPolicy{Rotation: true, Always: true, Leeway: 2 * time.Minute, Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour, MaxActive: 200},
	}
}

func (g *gateway) registerBody(body string, headers ...string) *wiretest.Answer {
	g.t.Helper()
	return g.do(http.MethodPost, "/register", body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

// register registers a client and returns the answer.
func (g *gateway) registered(body string) map[string]any {
	g.t.Helper()
	res := g.registerBody(body)
	if res.StatusCode != http.StatusCreated {
		g.t.Fatalf("registering %s: status %d %s", body, res.StatusCode, res.Body)
	}
	return jsonOf(g.t, res)
}

const codeBody = `{"client_name":"Claude Code","redirect_uris":["http://localhost:3118/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`

// strangerURL is the authorization request of a client that has registered itself.
func strangerURL(id, redirect string, change ...string) string {
	return authorizeURL(append([]string{"client_id", id, "redirect_uri", redirect, "audience", "", "scope", "", "nonce", ""}, change...)...)
}

// agree signs alice in for a request and lets the client in.
func (b *browser) agree(target string) url.Values {
	b.g.t.Helper()
	page := b.get(target)
	if strings.Contains(page.Body, `name="password"`) {
		action, fields := form(b.g.t, page.Body)
		fields.Set("username", "alice")
		fields.Set("password", testPassword)
		fields.Set("action", "login")
		page = b.post(action, fields)
	}
	if page.StatusCode != http.StatusOK || !strings.Contains(page.Body, `value="allow"`) {
		b.g.t.Fatalf("status %d, want the consent page\n%s %s", page.StatusCode, page.Header, page.Body)
	}
	action, fields := form(b.g.t, page.Body)
	fields.Set("action", "allow")
	_, q := location(b.g.t, b.post(action, fields))
	return q
}

func (g *gateway) exchangeFor(id, redirect, code string, more ...string) *wiretest.Answer {
	g.t.Helper()
	v := url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {testVerifier}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return g.post("/token", v) // the alias
}

// M-07, M-08, M-10, M-12, M-14, M-17, M-18, M-19: what clients that are in use really send, and what
// they can bear as an answer.
func TestM07M08M10M11M12M14M17M18M19Registration(t *testing.T) {
	g := newGateway(t, registering)
	for _, tt := range []struct {
		name, body string
		uris       []any
		method     string
		secret     bool
		grants     []any
	}{
		{"Claude Code", codeBody, []any{"http://localhost:3118/callback"}, "none", false, []any{"authorization_code", "refresh_token"}},
		{
			"claude.ai asks for a secret", `{"client_name":"Claude","redirect_uris":["https://claude.ai/api/mcp/auth_callback","https://claude.com/api/mcp/auth_callback"],"token_endpoint_auth_method":"client_secret_post"}`,
			[]any{"https://claude.ai/api/mcp/auth_callback"},
			"client_secret_post", true,
			[]any{"authorization_code", "refresh_token"},
		},
		{
			"Cursor", `{"client_name":"Cursor","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"]}`,
			[]any{"cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"},
			"none", false,
			[]any{"authorization_code", "refresh_token"},
		},
		{
			"VS Code asks for the device grant, too", `{"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com","application_type":"native","grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],"redirect_uris":["https://insiders.vscode.dev/redirect","https://vscode.dev/redirect","http://127.0.0.1/","http://127.0.0.1:33418/"],"token_endpoint_auth_method":"none"}`,
			[]any{"https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"},
			"none", false,
			[]any{"authorization_code", "refresh_token"},
		},
		{
			"Gemini CLI", `{"client_name":"Gemini CLI MCP Client","scope":"","redirect_uris":["http://localhost:41999/oauth/callback"],"software_id":"x","contacts":null,"logo_uri":"https://elsewhere.example/l.png"}`,
			[]any{"http://localhost:41999/oauth/callback"},
			"none", false,
			[]any{"authorization_code", "refresh_token"},
		},
		{"no refresh tokens", `{"redirect_uris":["com.example.app:/cb"],"grant_types":["authorization_code"]}`, []any{"com.example.app:/cb"}, "none", false, []any{"authorization_code"}},
	} {
		res := g.registerBody(tt.body)
		got := jsonOf(t, res)
		if res.StatusCode != http.StatusCreated || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d %s %s", tt.name, res.StatusCode, res.Header, res.Body)
			continue
		}
		for member, value := range got {
			if value == nil || value == "" || slices.Contains([]string{"registration_client_uri", "registration_access_token"}, member) {
				t.Errorf("%s: the answer has %s = %v", tt.name, member, value)
			}
		}
		if !slices.Equal(got["redirect_uris"].([]any), tt.uris) || got["token_endpoint_auth_method"] != tt.method || !slices.Equal(got["grant_types"].([]any), tt.grants) ||
			(got["client_secret"] != nil) != tt.secret || tt.secret && got["client_secret_expires_at"] != float64(0) || got["scope"] != "orders:read" {
			t.Errorf("%s: %s", tt.name, res.Body)
		}
		if id, _ := got["client_id"].(string); len(id) > 120 || id == "" {
			t.Errorf("%s: client_id %q", tt.name, id)
		}
	}
	for sent, want := range map[string]string{ // oidc-agent gives up unless it may have what it means to ask for
		`"openid offline_access orders:write"`: "openid offline_access orders:write", `"claudeai orders:write"`: "orders:write", `"claudeai"`: "orders:read", `"a \"b"`: "orders:read", `["orders:write"]`: "orders:read", "1": "orders:read",
	} {
		if got := g.registered(strings.Replace(codeBody, "{", `{"scope":`+sent+",", 1)); got["scope"] != want {
			t.Errorf("M-18: scope %s: %v, want %q", sent, got["scope"], want)
		}
	}
	for sent, want := range map[string]string{"": "native", "native": "native", "web": "web"} { // M-11: it decides nothing
		body := strings.Replace(codeBody, "{", `{"application_type":"`+sent+`",`, 1)
		if got := g.registered(body); got["application_type"] != want || got["redirect_uris"].([]any)[0] != "http://localhost:3118/callback" {
			t.Errorf("application_type %q: %v", sent, got)
		}
	}
	again := strings.Replace(codeBody, ":3118", ":45123", 1)
	if a, b := g.registered(codeBody)["client_id"], g.registered(again)["client_id"]; a != b {
		t.Errorf("M-05: one client at two ports has two ids: %v, %v", a, b)
	}
}

// Redirect URIs that anybody could claim, or that a browser reads otherwise: none is
// registered. RED-05, RED-07, RED-08, RED-12, M-10, M-21.
func TestRED05RED07RED08M10M21RefusedRedirects(t *testing.T) {
	g := newGateway(t, registering)
	for _, uri := range []string{
		"https://evil.example/cb", "https://claude.ai.evil.example/cb", "https://claude.ai:8443/cb", "https://CLAUDE.ai/cb", "https://claude.ai@evil.example/", "https://evil.example/@claude.ai",
		`https://evil.example\@claude.ai/`, "https:claude.ai", "https:///claude.ai", "//claude.ai/cb", "https://claude.ai/../cb", "https://claude.ai/a/%2e%2E/cb", "https://claude.ai/a/..;x/cb", "https://claude.ai/cb#f",
		"http://claude.ai/cb", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://localhost@evil.example/", "http://127.0.0.2/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://2130706433/",
		"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://claude.ai/1", "about:blank", "intent://x#Intent;end", "chrome://settings", "view-source:https://claude.ai/",
		"ms-msdt:/id", "ms-settings:x", "search-ms:query=x", "search:x", "shell:startup", "feed:https://claude.ai/", "feeds://x", "urn:ietf:wg:oauth:2.0:oob", "res://x", "mhtml:file://x", "mk:@MSITStore:x", "hcp://x", "shortcuts://run", "itms-services://?action=x", "itms:x",
		"ssh://x", "ldap://x", "ldaps://x", "view-cache:x", "telnet:x", "x-apple.systempreferences:x", "x-man-page://x", "applescript://x", "android-app://x", "jnlp:x", "smb://x",
		"http//x", "://x", ":x", "x:", "a b:/c", "ex\u200bample:/cb", "https://claude.ai/\t", "https://claude.ai/\n", "https://claude.ai ", "1x:/cb", "https://аррӏе.com/", "",
	} {
		body, _ := json.Marshal(map[string]any{"redirect_uris": []string{uri}, "client_name": "x"})
		res := g.registerBody(string(body))
		if res.StatusCode != http.StatusBadRequest || jsonOf(t, res)["error"] != "invalid_redirect_uri" {
			t.Errorf("%q: status %d %s", uri, res.StatusCode, res.Body)
		}
	}
}

// Bad registrations, and long ones (M-04): refused by RFC 7591 §3.2.2, never with 500.
func TestM04BadRegistrations(t *testing.T) {
	g := newGateway(t, registering)
	long := `{"redirect_uris":["http://localhost/` + strings.Repeat("xyzw", 400) + `"]}`
	many := `{"redirect_uris":[` + strings.Repeat(`"http://localhost/a",`, 10) + `"http://localhost/b"]}`
	for _, body := range []string{
		"", "{", "[]", "null", " null", `"x"`, "1", `{"redirect_uris":"http://localhost/"}`, `{"redirect_uris":[1]}`, `{"redirect_uris":{}}`, `{"redirect_uris":["http://localhost/"],"client_name":{}}`,
		`{"redirect_uris":["http://localhost/"],"token_endpoint_auth_method":"private_key_jwt"}`, `{"redirect_uris":["http://localhost/"],"token_endpoint_auth_method":"tls_client_auth"}`,
		`{"redirect_uris":["http://localhost/"],"grant_types":"authorization_code"}`, long, many, `{"x":"` + strings.Repeat("a", 17<<10) + `"}`, strings.Repeat("[", 10000),
	} {
		res := g.registerBody(body)
		if e := jsonOf(t, res)["error"]; res.StatusCode != http.StatusBadRequest || e != "invalid_client_metadata" {
			t.Errorf("%.60q: status %d %s", body, res.StatusCode, res.Body)
		}
	}
	if res := g.registerBody(`{"x":"` + strings.Repeat("a", 1<<20) + `"}`); res.StatusCode < 400 || res.StatusCode >= 500 {
		t.Errorf("1 MB: status %d", res.StatusCode)
	}
	if res := g.do(http.MethodGet, "/register", ""); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", res.StatusCode)
	}
	if res := newGateway(t).registerBody(codeBody); res.StatusCode != http.StatusNotFound {
		t.Errorf("without the block: status %d", res.StatusCode)
	}
}

// Names made to deceive are cut and cleaned, and shown in quotes, behind where the answer goes: M-21.
func TestM21Names(t *testing.T) {
	g := newGateway(t, registering)
	for name, want := range map[string]string{
		"Claude": "Claude", "  Claude\n\tCode ": "Claude Code", "a\u202eb\u200bc\u2066d": "abcd", "\u0000x": "x", strings.Repeat("é", 100): strings.Repeat("é", 64), "\u0301x": "x",
	} {
		body, _ := json.Marshal(map[string]any{"redirect_uris": []string{"http://localhost/"}, "client_name": name})
		if got := g.registered(string(body))["client_name"]; got != want {
			t.Errorf("%q is registered as %q, want %q", name, got, want)
		}
	}
	long := "Google" + strings.Repeat(" x", 29)
	body, _ := json.Marshal(map[string]any{"redirect_uris": []string{"https://claude.ai/cb"}, "client_name": long + `"<b>`})
	id := g.registered(string(body))["client_id"].(string)
	page := g.browser().signIn(strangerURL(id, "https://claude.ai/cb"), "alice", testPassword).Body
	where, called := strings.Index(page, "<strong>claude.ai</strong>"), strings.Index(page, "Google x")
	if where < 0 || called < where || strings.Contains(page, "<b>") || strings.Contains(page, long) || !strings.Contains(page, testAPI) || !strings.Contains(page, "only if you started this") {
		t.Errorf("the page:\n%s", page)
	}
	for redirect, want := range map[string]string{"http://localhost:1234/": "<strong>an app on this computer</strong>", "com.example.x:/cb": "<strong>an app on this computer (com.example.x)</strong>"} {
		id := g.registered(`{"redirect_uris":["http://localhost/","com.example.x:/cb"],"client_name":"x"}`)["client_id"].(string)
		if page := g.browser().signIn(strangerURL(id, redirect), "alice", testPassword).Body; !strings.Contains(page, want) {
			t.Errorf("%s: the page does not say %s:\n%s", redirect, want, page)
		}
	}
}

// A whole login of a client that has registered itself: at another port (M-08), without a scope
// (M-24), with a refresh token though it asked for none (S21), and asked each time (M-22, AUZ-28).
func TestM08M09M22M24M26M47AUZ28S21Login(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	b := g.browser()
	for _, redirect := range []string{"http://localhost:3118/callback", "http://localhost:50123/callback", "http://localhost/callback"} {
		q := b.agree(strangerURL(id, redirect)) // each time, in one browser
		res := g.exchangeFor(id, redirect, q.Get("code"))
		got := jsonOf(t, res)
		if res.StatusCode != http.StatusOK || got["scope"] != "orders:read offline_access" && got["scope"] != "offline_access orders:read" || got["refresh_token"] == nil || got["id_token"] != nil {
			t.Fatalf("%s: status %d %s", redirect, res.StatusCode, res.Body)
		}
		claims, err := g.Issuer.CheckAccess(t.Context(), got["access_token"].(string))
		if err != nil || claims.ClientID != id || !slices.Equal(claims.Audience, []string{testAPI}) || claims.Client.Kind() != storage.AllRegistered {
			t.Errorf("access token: %+v, %v", claims, err)
		}
		res = g.post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {got["refresh_token"].(string)}, "resource": {testAPI + "/mcp"}, "scope": {"orders:read claudeai"}})
		if again := jsonOf(t, res); res.StatusCode != http.StatusOK || again["refresh_token"] == got["refresh_token"] || again["scope"] != "orders:read" {
			t.Errorf("refresh: status %d %s", res.StatusCode, res.Body)
		}
	}
	for _, redirect := range []string{"http://127.0.0.1:3118/callback", "http://localhost:3118/other", "http://localhost:3118/callback?x", "https://localhost/callback", "http://localhost:3118/callback/"} {
		if res := b.get(strangerURL(id, redirect)); res.StatusCode != http.StatusBadRequest { // M-09, RED-02, RED-11
			t.Errorf("%s: status %d", redirect, res.StatusCode)
		}
	}
	for scope, want := range map[string]string{
		"claudeai": "orders:read", "openid profile email offline_access": "openid profile email offline_access orders:read", "orders:write x:y": "orders:write",
		`bad"scope`: "orders:read", strings.Repeat("s ", 10): "orders:read",
	} {
		a, err := g.Issuer.ParseAuthorization(t.Context(), mustQuery(t, strangerURL(id, "http://localhost:1/callback", "scope", scope)))
		if err != nil || !sameScopes(a.Scopes, want+" offline_access") || !slices.Equal(a.Audiences, []string{testAPI}) {
			t.Errorf("M-24: scope %q gives %v at %v, %v; want %q", scope, a.Scopes, a.Audiences, err, want)
		}
	}
	if _, err := g.Issuer.ParseAuthorization(t.Context(), mustQuery(t, strangerURL(id, "http://localhost:1/callback", "audience", testAPI, "resource", "https://other.example/"))); oauth.AsError(err).Code != oauth.InvalidTarget {
		t.Errorf("M-47: two resources: %v", err)
	}
	if _, q := location(t, b.get(strangerURL(id, "http://localhost:1/callback", "prompt", "none"))); q.Get("error") != "consent_required" {
		t.Errorf("prompt=none: %v", q)
	}
}

func sameScopes(got []string, want string) bool {
	w := slices.Compact(slices.Sorted(slices.Values(strings.Fields(want))))
	return slices.Equal(slices.Sorted(slices.Values(got)), w)
}

func mustQuery(t *testing.T, target string) url.Values {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// H11: what a client that nobody registered must not be able to do.
func TestH11Powers(t *testing.T) {
	g := newGateway(t, registering)
	public := g.registered(`{"redirect_uris":["http://localhost/cb","https://claude.ai/cb"],"post_logout_redirect_uris":["https://claude.ai/bye"],"grant_types":["authorization_code","refresh_token","client_credentials","urn:ietf:params:oauth:grant-type:device_code"]}`)
	secret := g.registered(`{"redirect_uris":["https://claude.ai/cb"],"token_endpoint_auth_method":"client_secret_basic"}`)
	id, other := public["client_id"].(string), secret["client_id"].(string)
	b := g.browser()
	b.agree(strangerURL(id, "http://localhost:1/cb"))
	for _, target := range []string{
		"/v2/logout?" + url.Values{"client_id": {id}, "returnTo": {"https://claude.ai/bye"}}.Encode(),
		"/oidc/logout?" + url.Values{"client_id": {id}, "post_logout_redirect_uri": {"https://claude.ai/bye"}}.Encode(),
	} {
		if res := b.get(target); res.StatusCode == http.StatusSeeOther {
			t.Errorf("%s leads to %s", target, res.Header.Get("Location"))
		}
	}
	for _, mode := range []string{"fragment", "form_post", "web_message"} {
		if _, q := location(t, b.get(strangerURL(id, "http://localhost:1/cb", "response_mode", mode))); q.Get("error") != "invalid_request" {
			t.Errorf("response_mode %s: %v", mode, q)
		}
	}
	for _, change := range [][]string{{"code_challenge", "", "code_challenge_method", ""}, {"code_challenge_method", "plain"}, {"code_challenge_method", ""}} {
		for _, client := range []string{id, other} {
			if _, q := location(t, b.get(strangerURL(client, "https://claude.ai/cb", change...))); q.Get("error") != "invalid_request" {
				t.Errorf("%v: %v", change, q)
			}
		}
	}
	credentials := url.Values{"client_id": {other}, "client_secret": {secret["client_secret"].(string)}}
	with := func(more ...string) url.Values {
		v := url.Values{"client_id": credentials["client_id"], "client_secret": credentials["client_secret"]}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	if res := g.post("/oauth/token", with("grant_type", "client_credentials")); jsonOf(t, res)["error"] != "unauthorized_client" {
		t.Errorf("client credentials: %s", res.Body)
	}
	if res := g.post("/oauth/device/code", url.Values{"client_id": {id}}); jsonOf(t, res)["error"] != "unauthorized_client" {
		t.Errorf("device code: %s", res.Body)
	}
	if res := g.post("/oauth/introspect", with("token", "x")); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("introspection: status %d %s", res.StatusCode, res.Body)
	}
	if res := g.post("/oauth/revoke", with("token", "x")); res.StatusCode != http.StatusOK {
		t.Errorf("revocation: status %d %s", res.StatusCode, res.Body)
	}
}

// CLI-01, CLI-02, CLI-07, M-12, M-15: the secret of a registered client.
func TestCLI01CLI02CLI07M12M15Secrets(t *testing.T) {
	g := newGateway(t, registering)
	body := `{"client_name":"s","redirect_uris":["https://claude.ai/cb"],"token_endpoint_auth_method":"client_secret_post"}`
	a, b := g.registered(body), g.registered(body)
	if a["client_id"] == b["client_id"] || a["client_secret"] == b["client_secret"] {
		t.Error("two registrations share a secret")
	}
	public := g.registered(codeBody)["client_id"].(string)
	revoke := func(id, secret string, basic bool) int {
		v, headers := url.Values{"token": {"x"}}, []string(nil)
		if basic {
			headers = []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))}
		} else {
			v.Set("client_id", id)
			if secret != "" {
				v.Set("client_secret", secret)
			}
		}
		return g.post("/oauth/revoke", v, headers...).StatusCode
	}
	for _, tt := range []struct {
		name, id, secret string
		basic            bool
		want             int
	}{
		{"as registered", a["client_id"].(string), a["client_secret"].(string), false, 200},
		{"by Basic", a["client_id"].(string), a["client_secret"].(string), true, 200},
		{"another's secret", a["client_id"].(string), b["client_secret"].(string), false, 401},
		{"no secret", a["client_id"].(string), "", false, 401},
		{"a public client", public, "", false, 200},
		{"a public client by Basic without a secret (C# SDK)", public, "", true, 200},
		{"a public client with a secret", public, "x", false, 401},
		{"an id of nobody", "rc1.AAAA", "", false, 401},
		{"an id that is cut", public[:len(public)-1], "", false, 401},
	} {
		if got := revoke(tt.id, tt.secret, tt.basic); got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
		}
	}
}

// M-13, M-20, M-54, M20: discovery says what is on; with a registration token, which MCP
// clients cannot send, it names no endpoint.
func TestM13M20M54Discovery(t *testing.T) {
	g := newGateway(t, registering)
	for _, target := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		d := jsonOf(t, g.do(http.MethodGet, target, "", "Origin", "http://localhost:6274", "MCP-Protocol-Version", "2025-11-25"))
		if d["registration_endpoint"] != testIssuer+"oauth/register" || !slices.Contains(d["token_endpoint_auth_methods_supported"].([]any), "none") ||
			d["authorization_response_iss_parameter_supported"] != true || !slices.Equal(d["code_challenge_methods_supported"].([]any), []any{"S256"}) || d["response_types_supported"] == nil {
			t.Errorf("%s: %v", target, d)
		}
	}
	token := newGateway(t, registering, func(_ *tokens.Config, c *Config) { c.RegistrationToken = "registration-token-0123456789" })
	if d := jsonOf(t, token.do(http.MethodGet, "/.well-known/openid-configuration", "")); d["registration_endpoint"] != nil {
		t.Errorf("with a token: %v", d["registration_endpoint"])
	}
	for header, want := range map[string]int{"": 401, "Bearer registration-token-0123456788": 401, "Bearer registration-token-0123456789": 201, "Basic cmVnaXN0cmF0aW9uLXRva2Vu": 401} {
		var headers []string
		if header != "" {
			headers = []string{"Authorization", header}
		}
		if res := token.registerBody(codeBody, headers...); res.StatusCode != want || want == 401 && res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: status %d %s %s", header, res.StatusCode, res.Header, res.Body)
		}
	}
}

// M-31, M14: any origin may register, exchange and revoke, without credentials; a client of
// the configuration keeps its own origins.
func TestM31AnyOrigin(t *testing.T) {
	g := newGateway(t, registering)
	const inspector = "http://localhost:6274"
	for _, target := range []string{"/register", "/oauth/token", "/oauth/revoke", "/.well-known/openid-configuration"} {
		res := g.do(http.MethodOptions, target, "", "Origin", inspector, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,mcp-protocol-version")
		if res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Access-Control-Allow-Credentials") != "" ||
			!strings.Contains(res.Header.Get("Access-Control-Allow-Headers"), "mcp-protocol-version") {
			t.Errorf("preflight of %s: %d %v", target, res.StatusCode, res.Header)
		}
	}
	for _, origin := range []string{inspector, "https://app.example.com"} { // of a client of the configuration
		res := g.registerBody(codeBody, "Origin", origin)
		if h := res.Header; h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("register from %s: %v", origin, h)
		}
	}
	id := g.registered(codeBody)["client_id"].(string)
	if res := g.post("/token", url.Values{"client_id": {id}, "grant_type": {"authorization_code"}}, "Origin", inspector); res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("token, refused: %v", res.Header)
	}
	if res := g.post("/token", url.Values{"client_id": {"spa"}, "grant_type": {"authorization_code"}}, "Origin", inspector); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a client of the configuration: %v", res.Header)
	}
	if res := g.do(http.MethodOptions, "/oauth/introspect", "", "Origin", inspector, "Access-Control-Request-Method", "POST"); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("introspection: %v", res.Header)
	}
	if res := newGateway(t).do(http.MethodOptions, "/oauth/token", "", "Origin", inspector, "Access-Control-Request-Method", "POST"); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without such clients: %v", res.Header)
	}
}

// M-05: 10,000 registrations of one body are one client, and no registration reaches the store.
// One person who lets a thousand clients in holds 200 families.
func TestM05Storms(t *testing.T) {
	g := newGateway(t, registering)
	g.store.down.Store(true)
	ids := make(map[any]bool)
	for port := range 10_000 {
		g.pass(200 * time.Millisecond) // as fast as one network may
		ids[g.registered(strings.Replace(codeBody, "3118", fmt.Sprint(10_000+port), 1))["client_id"]] = true
	}
	if len(ids) != 1 {
		t.Errorf("%d clients, want one", len(ids))
	}
	for n := range 1000 {
		g.pass(200 * time.Millisecond)
		ids[g.registered(fmt.Sprintf(`{"client_name":"n%d","redirect_uris":["http://localhost/"]}`, n))["client_id"]] = true
	}
	if len(ids) != 1001 {
		t.Errorf("%d clients", len(ids))
	}
	g.store.down.Store(false)
	login, _, err := g.Issuer.SignIn(t.Context(), tokens.Profile{Subject: "local|bob", Login: "local", Fingerprint: bobs(g)}, "")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for id := range ids {
		if n++; n > 220 {
			break
		}
		client, err := g.Issuer.Client(t.Context(), id.(string))
		if err != nil {
			t.Fatal(err)
		}
		uri := client.RedirectURIs[0]
		a, err := g.Issuer.ParseAuthorization(t.Context(), mustQuery(t, strangerURL(id.(string), uri)))
		if err != nil {
			t.Fatal(err)
		}
		code, err := g.Issuer.IssueCode(t.Context(), a, login)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Issuer.Token(t.Context(), client, tokens.TokenRequest{GrantType: oauth.GrantAuthorizationCode, Code: code, RedirectURI: uri, CodeVerifier: testVerifier}); err != nil {
			t.Fatal(err)
		}
	}
	if families, err := g.Issuer.Grants(t.Context(), "local|bob"); err != nil || len(families) != 200 {
		t.Errorf("%d families, %v", len(families), err)
	}
}

func bobs(g *gateway) storage.Fingerprint {
	return g.Issuer.Config().Accounts.Fingerprints(storage.TagSubject("local|bob"))[0]
}

// H15: an end reaches what was begun, and not the id; a block stops new sign-ins; one row ends all
// that have registered themselves.
func TestH15EndAndBlock(t *testing.T) {
	g := newGateway(t, registering)
	operator := admin.New(g.Issuer, g.state)
	id := g.registered(codeBody)["client_id"].(string)
	const redirect = "http://localhost:1/callback"
	b := g.browser()
	begin := func() (access, refresh string) {
		t.Helper()
		got := jsonOf(t, g.exchangeFor(id, redirect, b.agree(strangerURL(id, redirect)).Get("code")))
		return got["access_token"].(string), got["refresh_token"].(string)
	}
	dead := func(access, refresh string) {
		t.Helper()
		if _, err := g.Issuer.CheckAccess(t.Context(), access); oauth.AsError(err).Code != oauth.InvalidToken {
			t.Errorf("the access token passes: %v", err)
		}
		if res := g.post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {refresh}}); jsonOf(t, res)["error"] != "invalid_grant" {
			t.Errorf("refresh: %s", res.Body)
		}
	}
	ends := map[string]func() error{
		"the client":     func() error { return operator.EndClient(t.Context(), id) },
		"all registered": func() error { _, err := operator.EndRegistered(t.Context()); return err },
	}
	for name, end := range ends {
		access, refresh := begin()
		if err := end(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		dead(access, refresh)
		g.pass(2 * time.Second)
		begin() // the id is as good as before
		g.pass(2 * time.Second)
	}
	if err := operator.BlockClient(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	if _, q := location(t, b.get(strangerURL(id, redirect))); q.Get("error") != "unauthorized_client" {
		t.Errorf("blocked: %v", q)
	}
	if err := operator.BlockClient(t.Context(), id, false); err != nil {
		t.Fatal(err)
	}
	begin()
	if err := operator.BlockClient(t.Context(), "spa", true); err == nil {
		t.Error("a client of the configuration was blocked")
	}
}

// A client that grows its scopes later (step up) is asked about them, and gets both: M-25.
func TestM25StepUp(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	const redirect = "http://localhost:1/callback"
	b := g.browser()
	first := jsonOf(t, g.exchangeFor(id, redirect, b.agree(strangerURL(id, redirect)).Get("code")))
	more := jsonOf(t, g.exchangeFor(id, redirect, b.agree(strangerURL(id, redirect, "scope", "orders:read orders:write")).Get("code")))
	if strings.Contains(first["scope"].(string), "write") || !sameScopes(strings.Fields(more["scope"].(string)), "orders:read orders:write offline_access") {
		t.Errorf("%v, then %v", first["scope"], more["scope"])
	}
}

// H11: the ID token of a client that nobody has registered signs nobody out: the person is asked.
// What is left of the scopes that it asks for at a refresh is never more than it asks for.
func TestH11HintAndScopesOfAStranger(t *testing.T) {
	g := newGateway(t, registering)
	id, redirect := g.registered(codeBody)["client_id"].(string), "http://localhost:3118/callback"
	b := g.browser()
	tok := jsonOf(t, g.exchangeFor(id, redirect, b.agree(strangerURL(id, redirect, "scope", "openid orders:read orders:write")).Get("code")))
	page := wantPage(t, b.get("/oidc/logout?id_token_hint="+tok["id_token"].(string)), http.StatusOK)
	if !strings.Contains(page, `value="logout"`) {
		t.Errorf("nobody is asked:\n%s", page)
	}
	if _, q := location(t, b.get(authorizeURL("prompt", "none"))); q.Get("code") == "" {
		t.Error("signed out by a client that nobody has registered")
	}
	for scope, want := range map[string]string{
		"billing:read": "orders:read", "bad\"scope": "orders:read", "orders:write billing:read": "orders:write", "": "openid orders:read orders:write offline_access",
	} {
		res := g.post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {tok["refresh_token"].(string)}, "scope": {scope}})
		got := jsonOf(t, res)
		if res.StatusCode != http.StatusOK || !sameScopes(strings.Fields(got["scope"].(string)), want) {
			t.Fatalf("scope %q gives %s, want %q", scope, res.Body, want)
		}
		tok = got
	}
}
