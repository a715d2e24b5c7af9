package handler

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// M-02: an address that a terminal has wrapped ends somewhere; what is missing then is said, and PKCE
// never becomes `plain`.
func TestM02CutAddress(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	const redirect = "http://localhost:3118/callback"
	for cut, want := range map[string]string{"code_challenge_method": "it was cut off", "code_challenge": "code challenge required"} {
		_, q := location(t, g.browser().get(strangerURL(id, redirect, cut, "")))
		if q.Get("error") != "invalid_request" || !strings.Contains(q.Get("error_description"), want) || q.Get("code") != "" {
			t.Errorf("without %s: %v", cut, q)
		}
	}
	if _, q := location(t, g.browser().get(strangerURL(id, redirect, "code_challenge_method", "plain"))); q.Get("error") != "invalid_request" {
		t.Errorf("plain: %v", q)
	}
}

// M-24: a client of the configuration that asks for no scope of an API gets its default ones, by a browser and by a code.
func TestM24DefaultScopes(t *testing.T) {
	g := newGateway(t, func(core *tokens.Config, _ *Config) {
		core.Clients = append(core.Clients, &clients.Client{
			ID: "agent", Type: clients.Native, RedirectURIs: []string{"http://localhost/callback"}, APIs: []string{testAPI}, DeviceCode: true, OIDCConformant: true,
			Usual: []string{"orders:read"}, Refresh: clients.RefreshPolicy{Rotation: true, Always: true, Lifetime: time.Hour, IdleLifetime: time.Hour, MaxActive: 10},
		})
	})
	agent, err := g.Issuer.Client(t.Context(), "agent")
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{
		"": "orders:read", "openid email": "openid email orders:read", "x:y": "orders:read", "orders:write": "orders:write", "orders:read orders:write": "orders:read orders:write",
	} {
		a, err := g.Issuer.ParseAuthorization(t.Context(), mustQuery(t, strangerURL("agent", "http://localhost:7/callback", "scope", asked, "resource", testAPI+"/mcp")))
		if err != nil || !sameScopes(a.Scopes, want+" offline_access") {
			t.Errorf("scope %q: %v, %v; want %q", asked, a.Scopes, err, want)
		}
		d, err := g.Issuer.AuthorizeDevice(t.Context(), agent, asked, []string{testAPI})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := g.Issuer.FindDevice(t.Context(), d.UserCode); err != nil || !sameScopes(r.Grant.Scopes, want+" offline_access") {
			t.Errorf("device, scope %q: %+v, %v; want %q", asked, r, err, want)
		}
	}
	if a, err := g.Issuer.ParseAuthorization(t.Context(), mustQuery(t, strangerURL("agent", "http://localhost:7/callback"))); err != nil || len(a.Scopes) > 0 {
		t.Errorf("without an API: %v, %v", a.Scopes, err)
	}
}

// M-32, M-33, M-53: with an issuer that has a path, clients look in three places, and give up at a 5xx: each answers, also
// with the store away, and names the issuer byte for byte, as every answer of /authorize does.
func TestM32M33M53Issuer(t *testing.T) {
	for issuer, places := range map[string][]string{
		"https://auth.example.com":         {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"},
		"https://auth.example.com/":        {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"},
		"https://auth.example.com/tenant":  {"/.well-known/oauth-authorization-server/tenant", "/.well-known/openid-configuration/tenant", "/tenant/.well-known/openid-configuration"},
		"https://auth.example.com/tenant/": {"/.well-known/oauth-authorization-server/tenant", "/.well-known/openid-configuration/tenant/", "/tenant/.well-known/openid-configuration"},
	} {
		g := newGateway(t, registering, func(core *tokens.Config, cfg *Config) { core.Issuer, cfg.IssuerURL = issuer, issuer })
		base := strings.TrimSuffix(strings.TrimPrefix(issuer, "https://auth.example.com"), "/")
		id := jsonOf(t, g.do(http.MethodPost, base+"/register", codeBody, "Content-Type", "application/json"))["client_id"].(string)
		for _, change := range [][]string{{"prompt", "none"}, {"response_type", "token"}, {"code_challenge", ""}} {
			target := base + strangerURL(id, "http://localhost:3118/callback", change...)
			if _, q := location(t, g.do(http.MethodGet, target, "")); q.Get("error") == "" || q.Get("iss") != issuer {
				t.Errorf("%s: %v answers %v", issuer, change, q)
			}
		}
		g.store.down.Store(true)
		for _, place := range places {
			res := g.do(http.MethodGet, place, "")
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s: %s: status %d", issuer, place, res.StatusCode)
			} else if d := jsonOf(t, res); d["issuer"] != issuer || d["authorization_response_iss_parameter_supported"] != true {
				t.Errorf("%s: %s: %v", issuer, place, d["issuer"])
			}
		}
		for _, place := range []string{"/.well-known/oauth-authorization-server/other", "/other/.well-known/openid-configuration"} {
			if g.Handles(place) {
				if res := g.do(http.MethodGet, place, ""); res.StatusCode != http.StatusNotFound {
					t.Errorf("%s: %s: status %d", issuer, place, res.StatusCode)
				}
			}
		}
	}
}

// M-33: a 5xx stops some programs for good, so what the configuration says is told before the
// store has ever answered.
func TestM33BeforeTheStoreAnswers(t *testing.T) {
	g := newGateway(t, registering, func(_ *tokens.Config, cfg *Config) {
		cfg.Ready = func(context.Context) error { return oauth.Unavailable(errors.New("Redis is away")) }
	})
	for _, place := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		if res := g.do(http.MethodGet, place, ""); res.StatusCode != http.StatusOK || jsonOf(t, res)["registration_endpoint"] == nil {
			t.Errorf("%s: status %d", place, res.StatusCode)
		}
	}
	if res := g.do(http.MethodGet, "/.well-known/jwks.json", ""); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("keys that nobody knows: status %d", res.StatusCode)
	}
}

// M-36: several programs of one computer share a refresh token. Each that comes within two minutes gets on; one that is
// later ends the family, as everywhere.
func TestM36SharedRefreshToken(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	const redirect = "http://localhost:3118/callback"
	first := jsonOf(t, g.exchangeFor(id, redirect, g.browser().agree(strangerURL(id, redirect)).Get("code")))
	refresh := func(token any) map[string]any {
		return jsonOf(t, g.post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {token.(string)}}))
	}
	shared := first["refresh_token"]
	next := refresh(shared)["refresh_token"]
	for _, after := range []time.Duration{0, 5 * time.Second, 55 * time.Second} {
		g.pass(after)
		if got := refresh(shared); got["refresh_token"] != next || got["access_token"] == nil {
			t.Fatalf("after %v: %v", after, got)
		}
	}
	g.pass(2 * time.Minute)
	if got := refresh(shared); got["error"] != "invalid_grant" {
		t.Errorf("three minutes later: %v", got)
	}
	if got := refresh(next); got["error"] != "invalid_grant" {
		t.Errorf("the family lives: %v", got)
	}
}

// M-52: a program without a person asks for an API by resource, and for no scope: it gets all that it may have.
func TestM52MachineWithoutScope(t *testing.T) {
	g := newGateway(t, registering)
	for _, resource := range []string{testAPI, testAPI + "/", testAPI + "/mcp"} {
		res := g.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {webSecret}, "resource": {resource}})
		got := jsonOf(t, res)
		if res.StatusCode != http.StatusOK || !sameScopes(strings.Fields(got["scope"].(string)), "orders:read orders:write") || got["refresh_token"] != nil {
			t.Errorf("%s: %d %s", resource, res.StatusCode, res.Body)
			continue
		}
		if claims, err := g.Issuer.CheckAccess(t.Context(), got["access_token"].(string)); err != nil || !slices.Equal(claims.Audience, []string{testAPI}) {
			t.Errorf("%s: %+v, %v", resource, claims, err)
		}
	}
	id := g.registered(codeBody)["client_id"].(string)
	if res := g.post("/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {id}}); jsonOf(t, res)["error"] != string(oauth.UnauthorizedClient) {
		t.Errorf("a client that nobody has registered: %s", res.Body)
	}
}

// M-55: two bridges that keep their state in one file overwrite each other's verifier. The code is refused and spent, and
// an event says why.
func TestM55AnothersVerifier(t *testing.T) {
	g := newGateway(t, registering)
	id := g.registered(codeBody)["client_id"].(string)
	const redirect = "http://localhost:3118/callback"
	code := g.browser().agree(strangerURL(id, redirect)).Get("code")
	other := strings.Repeat("w", 43)
	if got := jsonOf(t, g.exchangeFor(id, redirect, code, "code_verifier", other)); got["error"] != "invalid_grant" {
		t.Errorf("another's verifier: %v", got)
	}
	if !g.heard.has(oauth.EventTokenRefused, oauth.Outcome(oauth.ReasonBadVerifier)) {
		t.Error("no event says why")
	}
	if got := jsonOf(t, g.exchangeFor(id, redirect, code)); got["error"] != "invalid_grant" {
		t.Errorf("the right one, too late: %v", got)
	}
}
