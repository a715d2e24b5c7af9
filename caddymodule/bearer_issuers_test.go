package caddymodule

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
)

// guardOf is a guard in front of the upstream.
func guardOf(lines ...string) string {
	return "bearer_auth {\n audience " + testAPI + "\n" + strings.Join(lines, "\n") + "\n}\nreverse_proxy UPSTREAM"
}

func TestOtherIssuers(t *testing.T) {
	a, b := newOtherIssuer(t), newOtherIssuer(t)
	g := startGateway(t, gatewayOptions{API: guardOf("scope orders:read", "header X-Auth-Subject sub", "header X-Auth-Email email",
		a.block(), b.block("jwks_uri "+b.URL()+"keys", "audience orders", "scope_claim permissions", "claims name"))})
	own := g.login().AccessToken
	toB := map[string]any{"aud": "orders", "permissions": []string{"orders:read"}}
	g.eventuallyPasses(a.mint(nil))
	g.eventuallyPasses(b.mint(toB))
	with := func(base map[string]any, name string, value any) map[string]any {
		change := map[string]any{name: value}
		for k, v := range base {
			if k != name {
				change[k] = v
			}
		}
		return change
	}
	for _, tt := range []struct {
		name, token string
		status      int
		subject     string
		email       string
	}{
		{"our own", own, 200, "local|alice", ""},
		{"HDR-24 of a", a.mint(nil), 200, a.URL() + "|alice", "alice@other.example"},
		{"HDR-24 and HDR-28 of b, whose email nobody believes", b.mint(toB), 200, b.URL() + "|alice", ""},
		{"H5 of a, who says that nobody has verified it", a.mint(map[string]any{"email_verified": false}), 200, a.URL() + "|alice", ""},
		{"our user's name", a.mint(map[string]any{"sub": "local|alice"}), 200, a.URL() + "|local|alice", "alice@other.example"},
		{"JWT-36 of b in the name of a", b.mint(map[string]any{"iss": a.URL()}), 401, "", ""},
		{"in our name", a.mint(map[string]any{"iss": g.Issuer, "client_id": "x", "jti": "y"}), 401, "", ""},
		{"of nobody", a.mint(map[string]any{"iss": "https://evil.example/"}), 401, "", ""},
		{"JWT-37 for another API", a.mint(map[string]any{"aud": "https://other.example.com"}), 401, "", ""},
		{"a has no audience of b", a.mint(map[string]any{"aud": "orders"}), 401, "", ""},
		{"b has its own audience alone", b.mint(with(toB, "aud", testAPI)), 401, "", ""},
		{"too little scope", a.mint(map[string]any{"scope": "orders:write"}), 403, "", ""},
		{"b has its own scope claim alone", b.mint(with(toB, "permissions", nil)), 403, "", ""},
		{"HDR-19 line end in the subject", a.mint(map[string]any{"sub": "a\r\nX-Admin: 1"}), 401, "", ""},
	} {
		for _, round := range []string{"miss", "hit"} {
			resp, body := g.call("/orders", tt.token, "X-Auth-Subject", "admin", "X_Auth_Email", "admin@x")
			seen := g.upstream.take()
			if resp.StatusCode != tt.status || (tt.status == 200) != (len(seen) == 1) {
				t.Errorf("%s, %s: %d %s, %d requests at the upstream", tt.name, round, resp.StatusCode, body, len(seen))
				continue
			}
			want := []string{"X-Auth-Email=" + tt.email, "X-Auth-Subject=" + tt.subject}
			if tt.email == "" {
				want = want[1:]
			}
			if len(seen) == 1 && !slices.Equal(identityHeaders(seen[0].Header), want) {
				t.Errorf("%s, %s: the upstream sees %v, want %v", tt.name, round, identityHeaders(seen[0].Header), want)
			}
		}
	}
	if logs := g.logs(); !strings.Contains(logs, `"msg":"issuer_keys"`) || !strings.Contains(logs, `"issuer":"`+a.URL()) {
		t.Error("the log does not say that the keys were fetched")
	}
	_, metrics := g.admin(http.MethodGet, "/metrics")
	for _, line := range []string{`caddy_oauth_issuer_key_fetches_total{outcome="changed"}`, `caddy_oauth_issuer_keys_age_seconds{issuer="` + a.URL()} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no metric %s", line)
		}
	}
}

// A rule or a header of sub is about one issuer, when iss stands beside it.
func TestSubjectOfOneIssuer(t *testing.T) {
	a, b := newOtherIssuer(t), newOtherIssuer(t)
	g := newGateway(t)
	for _, tt := range []struct {
		name, rules     string
		passesA, passes bool
		want            []string
	}{
		{"sub alone is ours", "claim sub alice", false, false, nil},
		{"sub of a, qualified", "claim sub " + a.URL() + "|alice", true, false, []string{"X-Auth-Subject=" + a.URL() + "|alice"}},
		{"sub of a, with iss", "claim sub alice\nclaim iss " + a.URL(), true, false, []string{"X-Auth-Subject=" + a.URL() + "|alice"}},
		{"header of iss too", "header X-Auth-Email iss", true, true, []string{"X-Auth-Email=" + a.URL(), "X-Auth-Subject=alice"}},
	} {
		if err := g.load(gatewayOptions{API: guardOf(tt.rules, "header X-Auth-Subject sub", a.block(), b.block())}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the keys", func() bool {
			ra, _ := g.call("/", a.mint(nil))
			rb, _ := g.call("/", b.mint(nil))
			return ra.StatusCode != http.StatusServiceUnavailable && rb.StatusCode != http.StatusServiceUnavailable
		})
		g.upstream.take()
		ra, _ := g.call("/", a.mint(nil))
		if seen := g.upstream.take(); len(seen) == 1 && !slices.Equal(identityHeaders(seen[0].Header), tt.want) {
			t.Errorf("%s: the upstream sees %v, want %v", tt.name, identityHeaders(seen[0].Header), tt.want)
		}
		rb, _ := g.call("/", b.mint(nil))
		if (ra.StatusCode == 200) != tt.passesA || (rb.StatusCode == 200) != tt.passes {
			t.Errorf("%s: a %d, b %d", tt.name, ra.StatusCode, rb.StatusCode)
		}
	}
}

// An API that only other issuers make tokens for needs no `api`.
func TestAudienceOfOtherIssuers(t *testing.T) {
	a := newOtherIssuer(t)
	g := startGateway(t, gatewayOptions{API: `bearer_auth {
			audience https://elsewhere.example.com
			` + a.block("origins https://app.elsewhere.example.com") + `
		}
		respond "{http.auth.user.id} {http.auth.user.sub} {http.auth.user.iss} {http.auth.user.azp}={http.auth.user.client_id}"`})
	token := a.mint(map[string]any{"aud": "https://elsewhere.example.com"})
	g.eventuallyPasses(token)
	if _, body := g.call("/", token); body != a.URL()+"|alice alice "+a.URL()+" app=app" {
		t.Errorf("placeholders %q", body)
	}
	if resp, _ := g.call("/", g.login().AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token of ours for another API: %d", resp.StatusCode)
	}
	_, body := g.call(guard.MetadataPath, "")
	var document struct {
		Servers []string `json:"authorization_servers"`
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil || !slices.Equal(document.Servers, []string{a.URL()}) {
		t.Errorf("document %s: %v", body, err)
	}
	for origin, want := range map[string]string{"https://app.elsewhere.example.com": "https://app.elsewhere.example.com", "https://evil.example": ""} {
		resp, _ := g.call("/", "", "Origin", origin)
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: allowed %q", origin, got)
		}
	}
}

func TestOwnIssuerIsNoOther(t *testing.T) {
	g := newGateway(t)
	err := validateConfig(t, g.config(gatewayOptions{API: guardOf("issuer " + g.Issuer + " {\n allow_private\n}")}))
	if err == nil || !strings.Contains(err.Error(), "is this gateway itself") {
		t.Errorf("error %v", err)
	}
	if sets, users := keysInUse(); sets != 0 || users != 0 {
		t.Errorf("%d key sets are held by %d", sets, users)
	}
}

// A guard that takes the tokens of other issuers alone needs no `oauth` app.
func TestGuardWithoutOwnIssuer(t *testing.T) {
	a := newOtherIssuer(t)
	g := newGateway(t)
	file := g.siteAlone(`bearer_auth {
			audience ` + testAPI + `
			scope orders:read
			` + a.block("origins https://app.example.com") + `
		}
		respond "{http.auth.user.id}"
	`)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		if sets, users := keysInUse(); sets != 0 || users != 0 {
			t.Errorf("%d key sets are still held by %d", sets, users)
		}
	})
	for range 2 { // started, and reloaded
		if err := g.loadCaddyfile([]byte(file)); err != nil {
			t.Fatal(err)
		}
		g.eventuallyPasses(a.mint(nil))
		for _, tt := range []struct {
			name, token string
			status      int
		}{
			{"good", a.mint(nil), 200},
			{"again", a.mint(nil), 200},
			{"too little scope", a.mint(map[string]any{"scope": "x"}), 403},
			{"another audience", a.mint(map[string]any{"aud": "x"}), 401},
			{"without an issuer", a.mint(map[string]any{"iss": nil}), 401},
			{"an empty issuer", a.mint(map[string]any{"iss": ""}), 401},
			{"another issuer", a.mint(map[string]any{"iss": g.Issuer}), 401},
			{"none", "", 401},
		} {
			resp, body := g.call("/", tt.token, "Origin", "https://app.example.com")
			if resp.StatusCode != tt.status || resp.StatusCode == 200 && body != a.URL()+"|alice" {
				t.Errorf("%s: %d %s", tt.name, resp.StatusCode, body)
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
				t.Errorf("%s: no CORS header", tt.name)
			}
		}
	}
	if _, body := g.call(guard.MetadataPath, ""); !strings.Contains(body, `"`+a.URL()+`"`) {
		t.Errorf("document %s", body)
	}
	if _, metrics := g.admin(http.MethodGet, "/metrics"); !strings.Contains(metrics, `caddy_oauth_issuer_keys_age_seconds{issuer="`+a.URL()) {
		t.Error("no metric of the keys")
	}
	err := g.loadCaddyfile([]byte(file + "\n" + strings.TrimSuffix(g.Issuer, "/") + " {\n\toauth_server\n}\n"))
	if err == nil || !strings.Contains(err.Error(), "no authorization server is configured") {
		t.Errorf("an oauth_server without an app: %v", err)
	}
}
