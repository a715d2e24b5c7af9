package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// The main job: log in, get tokens, ask who it is, refresh, revoke.
func TestLoginTokenRefreshRevoke(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	to, q := location(t, b.signIn(authorizeURL(), "alice", testPassword))
	if to != spaRedirect || q.Get("state") != "st" || q.Get("iss") != testIssuer || q.Get("code") == "" {
		t.Fatalf("answer to %s with %v", to, q)
	}
	res := g.exchange(q.Get("code"), "Origin", spaOrigin)
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Access-Control-Allow-Origin") != spaOrigin {
		t.Errorf("token headers: %v", res.Header)
	}
	tok := jsonOf(t, res)
	if tok["token_type"] != "Bearer" || tok["refresh_token"] == nil || tok["id_token"] == nil {
		t.Fatalf("token response: %v", tok)
	}
	info := jsonOf(t, g.do(http.MethodGet, "/userinfo", "", "Authorization", "Bearer "+tok["access_token"].(string)))
	if info["sub"] != "local|alice" || info["email"] != "alice@example.com" {
		t.Errorf("userinfo: %v", info)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {tok["refresh_token"].(string)}}
	next := jsonOf(t, g.post("/oauth/token", refresh))
	if next["refresh_token"] == nil || next["refresh_token"] == tok["refresh_token"] || next["id_token"] == nil {
		t.Fatalf("refresh response: %v", next)
	}
	res = g.post("/oauth/revoke", url.Values{"client_id": {"spa"}, "token": {next["refresh_token"].(string)}})
	if body := res.Body; res.StatusCode != http.StatusOK || strings.TrimSpace(body) != "{}" || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("revoke: %d %q %q", res.StatusCode, res.Header.Get("Content-Type"), body)
	}
	refresh.Set("refresh_token", next["refresh_token"].(string))
	res = g.post("/oauth/token", refresh)
	if e := jsonOf(t, res); res.StatusCode != http.StatusBadRequest || e["error"] != "invalid_grant" {
		t.Errorf("refresh after revoke: %d %v", res.StatusCode, e)
	}
	res = g.do(http.MethodGet, "/userinfo", "", "Authorization", "Bearer "+next["access_token"].(string))
	if res.StatusCode != http.StatusUnauthorized || !strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("userinfo after revoke: %d %v", res.StatusCode, res.Header)
	}
}

func TestSingleSignOn(t *testing.T) {
	g := newGateway(t)
	b := g.browser()
	location(t, b.signIn(authorizeURL(), "alice", testPassword))
	if _, q := location(t, b.get(authorizeURL("prompt", "none"))); q.Get("code") == "" {
		t.Errorf("with a session: %v", q)
	}
	if res := b.get(authorizeURL("prompt", "login")); !strings.Contains(res.Body, `name="password"`) {
		t.Error("prompt=login shows no login page")
	}
	g.pass(10 * time.Second)
	if res := b.get(authorizeURL("max_age", "5")); !strings.Contains(res.Body, `name="password"`) {
		t.Error("max_age shows no login page")
	}
	if _, q := location(t, b.signIn(authorizeURL("max_age", "5"), "alice", testPassword)); q.Get("code") == "" {
		t.Errorf("after signing in again: %v", q)
	}
}

func TestPathsAndDiscovery(t *testing.T) {
	for _, tc := range []struct {
		name, issuer string
		paths        map[string]string
		endpoints    []string // served
		documents    []string
		token        string // as emitted
	}{
		{
			"Auth0's paths", "https://auth.example.com/", nil,
			[]string{"/authorize", "/oauth/authorize", "//oauth//token", "/v2/logout", "/oauth/token/"},
			[]string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "//.well-known/openid-configuration"},
			"https://auth.example.com/oauth/token",
		},
		{
			"issuer with a path", "https://auth.example.com/tenant", nil,
			[]string{"/tenant/authorize", "/tenant/oauth/token"},
			[]string{"/tenant/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/tenant", "/.well-known/openid-configuration/tenant"},
			"https://auth.example.com/tenant/oauth/token",
		},
		{
			"moved", "https://auth.example.com",
			map[string]string{"token": "/oauth2/token", "authorize": "/oauth2/auth"},
			[]string{"/oauth2/token", "/oauth2/auth"},
			[]string{"/.well-known/openid-configuration"},
			"https://auth.example.com/oauth2/token",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGateway(t, func(core *tokens.Config, cfg *Config) {
				core.Issuer, cfg.IssuerURL, cfg.Paths = tc.issuer, tc.issuer, tc.paths
			})
			for _, p := range tc.endpoints {
				if !g.Handles(p) {
					t.Errorf("%s is not handled", p)
				}
			}
			for _, p := range tc.documents {
				res := g.do(http.MethodGet, p, "", "Host", "evil.example")
				doc := jsonOf(t, res)
				if doc["issuer"] != tc.issuer || doc["token_endpoint"] != tc.token {
					t.Errorf("%s: issuer %v, token_endpoint %v", p, doc["issuer"], doc["token_endpoint"])
				}
				if res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Cache-Control") != "public, max-age=300" {
					t.Errorf("%s: %v", p, res.Header)
				}
			}
			for _, p := range []string{"/", "/token", "/authorize/x", "/.well-known/other", "/loginx", "/nope"} {
				if g.Handles(p) {
					t.Errorf("%s is handled", p)
				}
			}
			if moved := tc.paths != nil; moved && (g.Handles("/oauth/token") || g.Handles("/authorize") || g.Handles("/oauth/authorize")) {
				t.Error("a moved endpoint is still at its old place")
			}
		})
	}
}

// What discovery names is served, and the metadata says nothing more.
func TestDiscoveryIsTrue(t *testing.T) {
	g := newGateway(t)
	doc := jsonOf(t, g.do(http.MethodGet, "/.well-known/openid-configuration", ""))
	for name, value := range doc {
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		u, err := url.Parse(value.(string))
		if err != nil || !g.Handles(u.Path) || u.Host != "auth.example.com" {
			t.Errorf("%s: %v is not served", name, value)
		}
	}
	if doc["request_uri_parameter_supported"] != false || doc["authorization_response_iss_parameter_supported"] != true {
		t.Errorf("metadata: %v", doc)
	}
	keys := jsonOf(t, g.do(http.MethodGet, "/.well-known/jwks.json", ""))["keys"].([]any)
	algs := make(map[any]bool)
	for _, k := range keys {
		key := k.(map[string]any)
		algs[key["alg"]] = true
		if _, private := key["d"]; private {
			t.Error("a private key is in the JWKS")
		}
	}
	announced := doc["id_token_signing_alg_values_supported"].([]any)
	for _, alg := range announced { // S19: verifiers of access tokens read it there
		if !algs[alg] {
			t.Errorf("%s is announced, and there is no key for it", alg)
		}
	}
	if len(announced) != len(algs) || len(algs) < 2 {
		t.Errorf("announced are %v, the keys are for %v", announced, algs)
	}
}

// P5: what is announced about people is what tokens say about them, and nothing else.
func TestAnnouncedClaims(t *testing.T) {
	g := newGateway(t)
	doc := jsonOf(t, g.do(http.MethodGet, "/.well-known/openid-configuration", ""))
	announced := fmt.Sprint(doc["claims_supported"])
	if want := "[iss sub aud exp iat auth_time nonce sid acr email email_verified name nickname preferred_username]"; announced != want {
		t.Errorf("P5: %s, want %s", announced, want)
	}
	if acrs := fmt.Sprint(doc["acr_values_supported"]); acrs != "[pwd]" {
		t.Errorf("P5: acr_values_supported is %s", acrs)
	}
	id, err := jose.ParseCompact(g.browser().tokensOf()["id_token"].(string))
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(id.Payload, &claims); err != nil {
		t.Fatal(err)
	}
	for name := range claims {
		if !strings.Contains(strings.Trim(announced, "[]")+" ", name+" ") {
			t.Errorf("P5: %s is in an ID token, and is not announced", name)
		}
	}
	for _, name := range []string{"updated_at", "picture", "jti"} { // P7: nobody knows when a person's record was changed
		if _, ok := claims[name]; ok {
			t.Errorf("P5, P7: %s is in an ID token", name)
		}
	}
	// P5: nobody can sign in
	g = newGateway(t, func(_ *tokens.Config, c *Config) { c.Logins = nil })
	doc = jsonOf(t, g.do(http.MethodGet, "/.well-known/openid-configuration", ""))
	if _, ok := doc["acr_values_supported"]; ok || strings.Contains(fmt.Sprint(doc["claims_supported"]), "acr") {
		t.Errorf("P5: without a login: %v", doc)
	}
}

func TestCheckPaths(t *testing.T) {
	for _, tc := range []struct {
		name  string
		paths map[string]string
		ok    bool
	}{
		{"none", nil, true},
		{"one", map[string]string{"token": "/t"}, true},
		{"swapped", map[string]string{"token": "/oauth/revoke", "revoke": "/oauth/token"}, true},
		{"unknown", map[string]string{"tokens": "/t"}, false},
		{"fixed", map[string]string{"openid_configuration": "/t"}, false},
		{"relative", map[string]string{"token": "t"}, false},
		{"query", map[string]string{"token": "/t?x"}, false},
		{"dots", map[string]string{"token": "/a/../t"}, false},
		{"taken", map[string]string{"token": "/userinfo"}, false},
		{"taken by a document", map[string]string{"token": "/.well-known/openid-configuration"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := CheckPaths(tc.paths); (err == nil) != tc.ok {
				t.Errorf("CheckPaths() = %v, want ok %t", err, tc.ok)
			}
		})
	}
}

func TestStateNotReady(t *testing.T) {
	g := newGateway(t)
	g.store.down.Store(true)
	g.Ready = func(context.Context) error { return errDown }
	for _, target := range []string{"/oauth/token", "/oauth/revoke", "/oauth/introspect"} {
		res := g.post(target, url.Values{"client_id": {"spa"}})
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d %v", target, res.StatusCode, res.Header)
		}
	}
	res := g.do(http.MethodGet, authorizeURL(), "")
	if res.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("authorize: %d %v", res.StatusCode, res.Header)
	}
}
