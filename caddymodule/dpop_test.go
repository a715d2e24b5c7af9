package caddymodule

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

// tokenWith posts to the token endpoint with a proof, and with its nonce when one is asked for.
func (g *gateway) tokenWith(key *tokenstest.DPoPKey, form url.Values) tokenAnswer {
	g.t.Helper()
	target := g.url("/oauth/token")
	resp, body := g.do(g.request(target, form, "Dpop", key.Proof("POST", target, "")))
	if nonce := resp.Header.Get("DPoP-Nonce"); resp.StatusCode == http.StatusBadRequest && strings.Contains(body, "use_dpop_nonce") {
		resp, body = g.do(g.request(target, form, "Dpop", key.Proof("POST", target, "", "nonce", nonce)))
	}
	return g.tokenAnswer(resp, body)
}

// machineWith returns a bound access token of the machine client.
func (g *gateway) machineWith(key *tokenstest.DPoPKey) string {
	g.t.Helper()
	answer := g.tokenWith(key, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"worker"}, "client_secret": {g.Machine}, "audience": {testAPI},
	})
	if answer.AccessToken == "" || !strings.Contains(answer.body, `"token_type":"DPoP"`) {
		g.t.Fatalf("client credentials: %d %s", answer.status, answer.body)
	}
	return answer.AccessToken
}

// callWith calls the guarded API with a bound token and a proof for target.
func (g *gateway) callWith(key *tokenstest.DPoPKey, token, path, target string, headers ...string) reply {
	g.t.Helper()
	resp, _ := g.do(g.request(g.API+path, nil, append([]string{"Authorization", "DPoP " + token, "Dpop", key.Proof("GET", target, token)}, headers...)...))
	return resp
}

// JWT-53, JWT-54 through a real Caddy: the URL of a request is the one that
// the client has sent it to.
func TestDPoPThroughCaddy(t *testing.T) {
	key, thief := tokenstest.NewDPoPKey(t, time.Now), tokenstest.NewDPoPKey(t, time.Now)
	guard := func(options string) string {
		return "rewrite /old/* /new{uri}\nbearer_auth {\n\taudience https://api.example.com\n\t" + options + "\n}\nreverse_proxy UPSTREAM"
	}
	g := startGateway(t, gatewayOptions{API: guard("")})
	token := g.machineWith(key)
	if resp, _ := g.call("/orders", token); resp.StatusCode != 401 || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), `DPoP error="invalid_token"`) {
		t.Errorf("as Bearer: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := g.callWith(thief, token, "/orders", g.API+"/orders"); resp.StatusCode != 401 {
		t.Errorf("with another key: %d", resp.StatusCode)
	}
	if resp := g.callWith(key, token, "/orders?page=2", g.API+"/orders"); resp.StatusCode != 200 {
		t.Errorf("good: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := g.callWith(key, token, "/old/orders", g.API+"/new/old/orders"); resp.StatusCode != 401 {
		t.Errorf("the URL after a rewrite: %d", resp.StatusCode)
	}
	if resp := g.callWith(key, token, "/old/orders", g.API+"/old/orders"); resp.StatusCode != 200 {
		t.Errorf("the URL before a rewrite: %d %v", resp.StatusCode, resp.Header)
	}

	outside := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example.net"}
	if resp := g.callWith(key, token, "/orders", "https://api.example.net/orders", outside...); resp.StatusCode != 401 {
		t.Errorf("a proxy that nobody trusts: %d", resp.StatusCode)
	}
	proof := key.Proof("GET", g.API+"/orders", token)
	again := func() int {
		resp, _ := g.do(g.request(g.API+"/orders", nil, "Authorization", "DPoP "+token, "Dpop", proof))
		return resp.StatusCode
	}
	if status := again(); status != 200 {
		t.Errorf("before the reload: %d", status)
	}
	if err := g.load(gatewayOptions{API: guard("dpop_origin https://api.example.org"), Servers: "trusted_proxies static private_ranges 127.0.0.1/8 ::1"}); err != nil {
		t.Fatal(err)
	}
	if resp := g.callWith(key, token, "/orders", "https://api.example.org/orders", outside...); resp.StatusCode != 200 {
		t.Errorf("dpop_origin: %d", resp.StatusCode)
	}
	if err := g.load(gatewayOptions{API: guard("dpop required"), Servers: "trusted_proxies static private_ranges 127.0.0.1/8 ::1"}); err != nil {
		t.Fatal(err)
	}
	if resp := g.callWith(key, token, "/orders", "https://api.example.net/orders", outside...); resp.StatusCode != 200 {
		t.Errorf("a trusted proxy: %d %v", resp.StatusCode, resp.Header)
	}
	if status := again(); status != 401 {
		t.Errorf("the proof of before the reload passes again: %d", status)
	}
	if resp, _ := g.call("/orders", g.machineToken()); resp.StatusCode != 401 || strings.Contains(resp.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("required, a token that is not bound: %d %v", resp.StatusCode, resp.Header)
	}
	resp, body := g.do(g.request(g.API+"/.well-known/oauth-protected-resource", nil))
	if resp.StatusCode != 200 || !strings.Contains(body, `"dpop_bound_access_tokens_required": true`) {
		t.Errorf("the document: %d %s", resp.StatusCode, body)
	}
	if strings.Contains(g.logs(), token) {
		t.Error("the log holds a token")
	}
}

// TOK-27 through a real Caddy, at both places.
func TestDPoPNonceThroughCaddy(t *testing.T) {
	g := startGateway(t, gatewayOptions{OAuth: "dpop {\n\trequire_nonce\n}", Client: "dpop required"})
	key := tokenstest.NewDPoPKey(t, time.Now)
	token := g.machineWith(key)
	resp := g.callWith(key, token, "/orders", g.API+"/orders")
	nonce := resp.Header.Get("DPoP-Nonce")
	if resp.StatusCode != 401 || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), `DPoP error="use_dpop_nonce"`) || nonce == "" {
		t.Fatalf("without a nonce: %d %v", resp.StatusCode, resp.Header)
	}
	resp, _ = g.do(g.request(g.API+"/orders", nil, "Authorization", "DPoP "+token, "Dpop", key.Proof("GET", g.API+"/orders", token, "nonce", nonce)))
	if resp.StatusCode != 200 || resp.Header.Get("DPoP-Nonce") == "" {
		t.Errorf("with it: %d %v", resp.StatusCode, resp.Header)
	}
	if answer := g.refresh("rt1.x"); answer.Error != "invalid_dpop_proof" {
		t.Errorf("a client that has to send proofs: %s", answer.body)
	}
}

// Two guards on one request see the one proof that a request has, with and
// without nonces; for the next request it is a replay.
func TestDPoPThroughTwoGuards(t *testing.T) {
	const guards = "bearer_auth {\n\taudience https://api.example.com\n}\nbearer_auth /admin/* {\n\taudience https://api.example.com\n\tdpop required\n}\nreverse_proxy UPSTREAM"
	for name, options := range map[string]string{"plain": "", "nonces": "dpop {\n\trequire_nonce\n}"} {
		t.Run(name, func(t *testing.T) {
			g, key := startGateway(t, gatewayOptions{OAuth: options, API: guards}), tokenstest.NewDPoPKey(t, time.Now)
			token, target := g.machineWith(key), g.API+"/admin/users"
			resp := g.callWith(key, token, "/admin/users", target)
			if nonce := resp.Header.Get("DPoP-Nonce"); nonce != "" {
				proof := key.Proof("GET", target, token, "nonce", nonce)
				resp, _ = g.do(g.request(target, nil, "Authorization", "DPoP "+token, "Dpop", proof))
			}
			if resp.StatusCode != 200 {
				t.Errorf("both guards: %d %v", resp.StatusCode, resp.Header)
			}
			sent := g.upstream.take()
			if len(sent) != 1 {
				t.Fatalf("%d requests at the upstream", len(sent))
			}
			again, _ := g.do(g.request(target, nil, "Authorization", "DPoP "+token, "Dpop", sent[0].Header.Get("Dpop")))
			if challenge := again.Header.Get("WWW-Authenticate"); again.StatusCode != 401 || !strings.HasPrefix(challenge, `DPoP error="invalid_dpop_proof"`) {
				t.Errorf("the next request: %d %s", again.StatusCode, challenge)
			}
		})
	}
}

// Tokens of other issuers are bound by the same rules, with an app or without.
func TestDPoPForOtherIssuers(t *testing.T) {
	other, key := newOtherIssuer(t), tokenstest.NewDPoPKey(t, time.Now)
	g := startGateway(t, gatewayOptions{API: "bearer_auth {\n\taudience https://api.example.com\n\t" + other.block() + "}\nreverse_proxy UPSTREAM"})
	token := other.mint(map[string]any{"aud": testAPI, "cnf": map[string]any{"jkt": key.Thumbprint()}})
	g.eventuallyPasses(other.mint(nil))
	if resp := g.callWith(key, token, "/orders", g.API+"/orders"); resp.StatusCode != 200 {
		t.Errorf("good: %d %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := g.call("/orders", token); resp.StatusCode != 401 {
		t.Errorf("as Bearer: %d", resp.StatusCode)
	}
	for name, cnf := range map[string]any{"a certificate": map[string]any{"x5t#S256": key.Thumbprint()}, "another way": map[string]any{"kid": "x"}} {
		bound := other.mint(map[string]any{"aud": testAPI, "cnf": cnf})
		if resp, _ := g.call("/orders", bound); resp.StatusCode != 401 {
			t.Errorf("bound by %s: %d", name, resp.StatusCode)
		}
	}
}

func TestRequestURLs(t *testing.T) {
	for _, tt := range []struct {
		name    string
		tls     bool
		trusted bool
		strict  bool
		headers []string
		origins []string
		want    []string
	}{
		{name: "plain", want: []string{"http://api.example.com/a%2Fb"}},
		{name: "TLS", tls: true, want: []string{"https://api.example.com/a%2Fb"}},
		{name: "forwarded, not trusted", headers: []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "x.example"}, want: []string{"http://api.example.com/a%2Fb"}},
		{name: "forwarded", trusted: true, headers: []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "x.example:8443"}, want: []string{"https://x.example:8443/a%2Fb"}},
		{name: "forwarded twice", trusted: true, headers: []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "x.example, y.example"}, want: []string{"https://x.example/a%2Fb"}},
		// A9: a proxy that adds to the header leaves what the client wrote in front.
		{name: "A9: forwarded twice, strict", trusted: true, strict: true, headers: []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "evil.example, x.example"}, want: []string{"https://x.example/a%2Fb"}},
		{name: "A9: two lines, strict", trusted: true, strict: true, headers: []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Host", "x.example"}, want: []string{"http://x.example/a%2Fb"}},
		{name: "A9: one, strict", trusted: true, strict: true, headers: []string{"X-Forwarded-Host", "x.example"}, want: []string{"http://x.example/a%2Fb"}},
		{name: "A9: the proxy says nothing, strict", trusted: true, strict: true, headers: []string{"X-Forwarded-Host", "evil.example, "}, want: []string{"http://api.example.com/a%2Fb"}},
		{name: "A9: not trusted, strict", strict: true, headers: []string{"X-Forwarded-Host", "x.example"}, want: []string{"http://api.example.com/a%2Fb"}},
		{name: "forwarded garbage", trusted: true, headers: []string{"X-Forwarded-Proto", "gopher"}, want: []string{"http://api.example.com/a%2Fb"}},
		{name: "origins", trusted: true, headers: []string{"X-Forwarded-Host", "x.example"}, origins: []string{"https://a.example", "https://b.example"}, want: []string{"https://a.example/a%2Fb", "https://b.example/a%2Fb"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.example.com/a%2Fb?q", nil)
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			for i := 0; i < len(tt.headers); i += 2 {
				r.Header.Add(tt.headers[i], tt.headers[i+1])
			}
			server := new(caddyhttp.Server)
			if tt.strict {
				server.TrustedProxiesStrict = 1
			}
			r = r.WithContext(context.WithValue(r.Context(), caddyhttp.ServerCtxKey, server))
			r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.TrustedProxyVarKey: tt.trusted}))
			guard := BearerAuth{DPoPOrigins: tt.origins}
			if got := guard.requestURLs(r); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
