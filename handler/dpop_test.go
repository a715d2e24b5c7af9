package handler

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/tokenstest"
)

const (
	tokenURL    = "https://auth.example.com/oauth/token"
	userinfoURL = "https://auth.example.com/userinfo"
)

// redeem gets the tokens of a fresh login with a proof.
func (g *gateway) redeem(k *tokenstest.DPoPKey, change ...string) map[string]any {
	g.t.Helper()
	return jsonOf(g.t, g.exchange(g.codeFor(change...), "Dpop", k.Proof("POST", tokenURL, "")))
}

func (g *gateway) refreshWith(refreshToken string, headers ...string) *wiretest.Answer {
	g.t.Helper()
	return g.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"spa"}, "refresh_token": {refreshToken}}, headers...)
}

// cnf reads the binding of one of our access tokens.
func (g *gateway) cnf(access any) jose.Confirmation {
	g.t.Helper()
	c, err := g.Issuer.CheckAccess(g.t.Context(), access.(string))
	if err != nil {
		g.t.Fatal(err)
	}
	if c.Confirmation == nil {
		return jose.Confirmation{}
	}
	return *c.Confirmation
}

func TestDPoPLogin(t *testing.T) {
	g := newGateway(t)
	key, thief := tokenstest.NewDPoPKey(t, g.clock), tokenstest.NewDPoPKey(t, g.clock)
	first := g.redeem(key)
	if first["token_type"] != "DPoP" || g.cnf(first["access_token"]).Key.String() != key.Thumbprint() {
		t.Fatalf("answer %v", first)
	}
	old, _ := first["refresh_token"].(string)

	// The refresh token is worth nothing without the key, and is not killed by whoever tries.
	wantOAuthError(t, g.refreshWith(old), 400, "invalid_dpop_proof")
	wantOAuthError(t, g.refreshWith(old, "Dpop", thief.Proof("POST", tokenURL, "")), 400, "invalid_grant")
	wantOAuthError(t, g.refreshWith(old, "Dpop", key.Proof("POST", tokenURL+"/a", "")), 400, "invalid_dpop_proof")
	proof := key.Proof("POST", tokenURL, "")
	wantOAuthError(t, g.refreshWith(old, "Dpop", proof, "Dpop", proof), 400, "invalid_dpop_proof")
	second := jsonOf(t, g.refreshWith(old, "Dpop", proof))
	if second["token_type"] != "DPoP" || second["refresh_token"] == old || g.cnf(second["access_token"]).Key.String() != key.Thumbprint() {
		t.Fatalf("refresh: %v", second)
	}
	wantOAuthError(t, g.refreshWith(old, "Dpop", proof), 400, "invalid_dpop_proof") // used before
	if !g.heard.has(oauth.EventTokenRefused, oauth.Outcome(oauth.ReasonProofReplayed)) {
		t.Error("nobody has heard of the replay")
	}

	// Within the leeway the same successor comes again, for the same key.
	again := jsonOf(t, g.refreshWith(old, "Dpop", key.Proof("POST", tokenURL, "")))
	if again["refresh_token"] != second["refresh_token"] || g.cnf(again["access_token"]).Key.String() != key.Thumbprint() {
		t.Errorf("replay: %v", again)
	}
	// After it, reuse without the key still ends nothing: only who has the key is believed.
	g.pass(time.Minute)
	wantOAuthError(t, g.refreshWith(old), 400, "invalid_dpop_proof")
	wantOAuthError(t, g.refreshWith(old, "Dpop", thief.Proof("POST", tokenURL, "")), 400, "invalid_grant")
	third := jsonOf(t, g.refreshWith(second["refresh_token"].(string), "Dpop", key.Proof("POST", "https://auth.example.com//oauth/token", "")))
	if third["error"] != "invalid_dpop_proof" {
		t.Errorf("another spelling of the path than the request has: %v", third)
	}
	third = jsonOf(t, g.refreshWith(second["refresh_token"].(string), "Dpop", key.Proof("POST", tokenURL, "")))
	if third["access_token"] == nil {
		t.Fatalf("refresh: %v", third)
	}
	wantOAuthError(t, g.refreshWith(old, "Dpop", key.Proof("POST", tokenURL, "")), 400, "invalid_grant")
	wantOAuthError(t, g.refreshWith(third["refresh_token"].(string), "Dpop", key.Proof("POST", tokenURL, "")), 400, "invalid_grant")
}

// A client that begins to send proofs has its refresh token bound from then on.
func TestDPoPBeginsLate(t *testing.T) {
	g := newGateway(t)
	key := tokenstest.NewDPoPKey(t, g.clock)
	plain, _ := jsonOf(t, g.exchange(g.codeFor()))["refresh_token"].(string)
	bound := jsonOf(t, g.refreshWith(plain, "Dpop", key.Proof("POST", tokenURL, "")))
	if bound["token_type"] != "DPoP" {
		t.Fatalf("refresh: %v", bound)
	}
	wantOAuthError(t, g.refreshWith(bound["refresh_token"].(string)), 400, "invalid_dpop_proof")
}

// What a request was sent to is the issuer's URL, whatever its Host says.
func TestDPoPTokenURL(t *testing.T) {
	g := newGateway(t)
	key := tokenstest.NewDPoPKey(t, g.clock)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {webSecret}}
	for _, tc := range []struct {
		name, target, htu string
		status            int
	}{
		{"as emitted", "/oauth/token", tokenURL, 200},
		{"by a doubled slash", "https://auth.example.com//oauth/token", "https://auth.example.com//oauth/token", 200},
		{"by a doubled slash, as emitted", "https://auth.example.com//oauth/token", tokenURL, 200},
		{"behind a proxy", "http://10.0.0.1:8080/oauth/token", tokenURL, 200},
		{"of another host", "https://evil.example/oauth/token", "https://evil.example/oauth/token", 400},
		{"of another endpoint", "/oauth/token", userinfoURL, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := g.post(tc.target, form, "Dpop", key.Proof("POST", tc.htu, ""), "X-Forwarded-Host", "evil.example")
			if res.StatusCode != tc.status {
				t.Errorf("%d %s", res.StatusCode, res.Body)
			}
		})
	}
}

func TestDPoPConfidentialClients(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config, _ *Config) { c.Clients[2].RedirectURIs = []string{spaRedirect} })
	key, other := tokenstest.NewDPoPKey(t, g.clock), tokenstest.NewDPoPKey(t, g.clock)
	redeem := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"web"}, "client_secret": {webSecret}, "redirect_uri": {spaRedirect},
		"code": {g.codeFor("client_id", "web")}, "code_verifier": {testVerifier},
	}
	tok := jsonOf(t, g.post("/oauth/token", redeem, "Dpop", key.Proof("POST", tokenURL, "")))
	if tok["token_type"] != "DPoP" {
		t.Fatalf("answer %v", tok)
	}
	// Its refresh token is bound to the client, which may take another key, or none.
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {"web"}, "client_secret": {webSecret}, "refresh_token": {tok["refresh_token"].(string)}}
	tok = jsonOf(t, g.post("/oauth/token", refresh, "Dpop", other.Proof("POST", tokenURL, "")))
	if g.cnf(tok["access_token"]).Key.String() != other.Thumbprint() {
		t.Errorf("refresh with another key: %v", tok)
	}
	refresh.Set("refresh_token", tok["refresh_token"].(string))
	if tok = jsonOf(t, g.post("/oauth/token", refresh)); tok["token_type"] != "Bearer" {
		t.Errorf("refresh without a key: %v", tok)
	}
}

func TestDPoPCodeBinding(t *testing.T) {
	g := newGateway(t)
	key, thief := tokenstest.NewDPoPKey(t, g.clock), tokenstest.NewDPoPKey(t, g.clock)
	code := func() string { return g.codeFor("dpop_jkt", key.Thumbprint()) }
	if tok := jsonOf(t, g.exchange(code(), "Dpop", key.Proof("POST", tokenURL, ""))); tok["token_type"] != "DPoP" {
		t.Errorf("the right key: %v", tok)
	}
	wantOAuthError(t, g.exchange(code(), "Dpop", thief.Proof("POST", tokenURL, "")), 400, "invalid_grant")
	wantOAuthError(t, g.exchange(code()), 400, "invalid_grant")
	for _, bad := range []string{"x", key.Thumbprint() + "=", strings.Repeat("A", 43)} {
		if _, q := location(t, g.browser().get(authorizeURL("dpop_jkt", bad))); q.Get("error") != "invalid_request" {
			t.Errorf("dpop_jkt %s: %v", bad, q)
		}
	}
}

func TestDPoPRequiredByClient(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config, _ *Config) {
		for _, client := range c.Clients {
			client.DPoPRequired = true
		}
	})
	key := tokenstest.NewDPoPKey(t, g.clock)
	machine := url.Values{"grant_type": {"client_credentials"}, "client_id": {"machine"}, "client_secret": {webSecret}}
	wantOAuthError(t, g.post("/oauth/token", machine), 400, "invalid_dpop_proof")
	if tok := jsonOf(t, g.post("/oauth/token", machine, "Dpop", key.Proof("POST", tokenURL, ""))); tok["token_type"] != "DPoP" {
		t.Errorf("machine: %v", tok)
	}
	code := g.codeFor()
	wantOAuthError(t, g.exchange(code), 400, "invalid_dpop_proof")
	if tok := jsonOf(t, g.exchange(code, "Dpop", key.Proof("POST", tokenURL, ""))); tok["token_type"] != "DPoP" {
		t.Errorf("the code was spent by a request without a proof: %v", tok)
	}
}

func TestHardeningTOK27(t *testing.T) {
	g := newGateway(t, func(c *tokens.Config, _ *Config) { c.ProofNonces = true })
	key := tokenstest.NewDPoPKey(t, g.clock)
	code := g.codeFor()
	res := g.exchange(code, "Dpop", key.Proof("POST", tokenURL, ""), "Origin", spaOrigin)
	wantOAuthError(t, res, 400, "use_dpop_nonce")
	nonce := res.Header.Get("DPoP-Nonce")
	if nonce == "" || res.Header.Get("Access-Control-Allow-Origin") != spaOrigin || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "DPoP-Nonce") {
		t.Fatalf("headers %v", res.Header)
	}
	wantOAuthError(t, g.exchange(code, "Dpop", key.Proof("POST", tokenURL, "", "nonce", "x"+nonce)), 400, "use_dpop_nonce")
	res = g.exchange(code, "Dpop", key.Proof("POST", tokenURL, "", "nonce", nonce))
	tok := jsonOf(t, res)
	if tok["token_type"] != "DPoP" || res.Header.Get("DPoP-Nonce") != nonce {
		t.Fatalf("with the nonce: %v %v", tok, res.Header)
	}
	g.pass(2 * time.Minute)
	res = g.refreshWith(tok["refresh_token"].(string), "Dpop", key.Proof("POST", tokenURL, "", "nonce", nonce))
	wantOAuthError(t, res, 400, "use_dpop_nonce")
	if fresh := res.Header.Get("DPoP-Nonce"); fresh == nonce || fresh == "" {
		t.Errorf("the nonce is still %q", fresh)
	} else if tok = jsonOf(t, g.refreshWith(tok["refresh_token"].(string), "Dpop", key.Proof("POST", tokenURL, "", "nonce", fresh))); tok["access_token"] == nil {
		t.Errorf("refresh: %v", tok)
	}
	if tok := jsonOf(t, g.exchange(g.codeFor())); tok["token_type"] != "Bearer" {
		t.Errorf("a client without DPoP: %v", tok)
	}
}

func TestDPoPUserinfo(t *testing.T) {
	g := newGateway(t)
	key, thief := tokenstest.NewDPoPKey(t, g.clock), tokenstest.NewDPoPKey(t, g.clock)
	access := g.redeem(key)["access_token"].(string)
	plain := jsonOf(t, g.exchange(g.codeFor()))["access_token"].(string)
	for _, tc := range []struct {
		name    string
		headers []string
		status  int
		want    string
	}{
		{"good", []string{"Authorization", "DPoP " + access, "Dpop", key.Proof("GET", userinfoURL, access)}, 200, ""},
		{"as Bearer", []string{"Authorization", "Bearer " + access}, 401, `DPoP error="invalid_token", algs="ES256 EdDSA`},
		{"as Bearer with a proof", []string{"Authorization", "Bearer " + access, "Dpop", key.Proof("GET", userinfoURL, access)}, 401, `DPoP error="invalid_token"`},
		{"no proof", []string{"Authorization", "DPoP " + access}, 401, `DPoP error="invalid_dpop_proof"`},
		{"another's key", []string{"Authorization", "DPoP " + access, "Dpop", thief.Proof("GET", userinfoURL, access)}, 401, `DPoP error="invalid_token"`},
		{"of the token endpoint", []string{"Authorization", "DPoP " + access, "Dpop", key.Proof("POST", tokenURL, access)}, 401, `DPoP error="invalid_dpop_proof"`},
		{"without ath", []string{"Authorization", "DPoP " + access, "Dpop", key.Proof("GET", userinfoURL, "")}, 401, `DPoP error="invalid_dpop_proof"`},
		{"not bound", []string{"Authorization", "DPoP " + plain, "Dpop", key.Proof("GET", userinfoURL, plain)}, 401, `DPoP error="invalid_token"`},
		{"Bearer", []string{"Authorization", "Bearer " + plain}, 200, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := g.do(http.MethodGet, "/userinfo", "", tc.headers...)
			if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != tc.status || !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("%d %q", res.StatusCode, got)
			}
		})
	}
}

func TestDPoPIntrospection(t *testing.T) {
	g := newGateway(t)
	key := tokenstest.NewDPoPKey(t, g.clock)
	tok := g.redeem(key)
	res := jsonOf(t, g.post("/oauth/introspect", url.Values{"client_id": {"machine"}, "client_secret": {webSecret}, "token": {tok["access_token"].(string)}}))
	cnf, _ := res["cnf"].(map[string]any)
	if res["active"] != true || res["token_type"] != "DPoP" || cnf["jkt"] != key.Thumbprint() || len(cnf) != 1 {
		t.Errorf("answer %v", res)
	}
}
