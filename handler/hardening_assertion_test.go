package handler

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// signer is a client that authenticates by private_key_jwt.
type signer struct {
	g   *gateway
	id  string
	key *jose.PrivateKey
}

// newSigners makes a gateway with two such clients, one of which also has a
// secret still, and two keys.
func newSigners(t *testing.T) (g *gateway, service, changing signer) {
	t.Helper()
	keys := make([]*jose.PrivateKey, 3)
	for i := range keys {
		var err error
		if keys[i], err = jose.GenerateKey(jose.ES256); err != nil {
			t.Fatal(err)
		}
	}
	g = newGateway(t, func(core *tokens.Config, _ *Config) {
		core.Clients = append(core.Clients,
			&clients.Client{
				ID: "service", Type: clients.Machine, APIs: []string{testAPI},
				Keys: clients.Keys{Fixed: []*jose.PublicKey{keys[0].Public()}},
			},
			&clients.Client{
				ID: "changing", Type: clients.Machine, APIs: []string{testAPI},
				SecretHashes: []string{clients.HashSecret("older"), clients.HashSecret(webSecret)},
				Keys:         clients.Keys{Fixed: []*jose.PublicKey{keys[1].Public(), keys[2].Public()}},
			})
	})
	return g, signer{g, "service", keys[0]}, signer{g, "changing", keys[2]}
}

// claims are good claims; overrides replace or, with nil, remove some.
func (s signer) claims(overrides map[string]any) map[string]any {
	now := s.g.clock().Unix()
	c := map[string]any{
		"iss": s.id, "sub": s.id, "aud": testIssuer, "jti": rand16(), "iat": now, "exp": now + 60,
	}
	for name, value := range overrides {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

var jtis atomic.Int64

func rand16() string { return "jti " + time.Unix(0, jtis.Add(1)).String() }

// assertion signs an assertion with the claims as they are.
func (s signer) assertion(claims map[string]any) string {
	s.g.t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		s.g.t.Fatal(err)
	}
	text, err := jose.Sign(s.key, "JWT", payload)
	if err != nil {
		s.g.t.Fatal(err)
	}
	return text
}

// asserting is a client_credentials request with an assertion.
func asserting(assertion string, more ...string) url.Values {
	f := url.Values{
		"grant_type": {"client_credentials"}, "client_assertion_type": {clients.AssertionTypeJWT}, "client_assertion": {assertion},
	}
	for i := 0; i < len(more); i += 2 {
		f.Set(more[i], more[i+1])
	}
	return f
}

// TestPrivateKeyJWT: the method works at every endpoint that wants a client, with
// and without client_id, and of a client that has secrets too.
func TestPrivateKeyJWT(t *testing.T) {
	g, service, changing := newSigners(t)
	for _, s := range []signer{service, changing} {
		access := jsonOf(t, g.post("/oauth/token", asserting(s.assertion(s.claims(nil)))))["access_token"].(string)
		for _, tc := range []struct {
			name, path string
			want       string
		}{
			{"introspect", "/oauth/introspect", `"active":true`},
			{"revoke", "/oauth/revoke", "{}"},
			{"introspect the revoked", "/oauth/introspect", `{"active":false}`},
		} {
			res := g.post(tc.path, asserting(s.assertion(s.claims(nil)), "token", access, "client_id", s.id))
			if res.StatusCode != http.StatusOK || !strings.Contains(res.Body, tc.want) {
				t.Errorf("%s: %s: %d %s", s.id, tc.name, res.StatusCode, res.Body)
			}
		}
	}
	doc := jsonOf(t, g.do(http.MethodGet, "/.well-known/openid-configuration", ""))
	for _, endpoint := range []string{"token", "revocation", "introspection"} {
		methods, _ := json.Marshal(doc[endpoint+"_endpoint_auth_methods_supported"])
		algs, _ := json.Marshal(doc[endpoint+"_endpoint_auth_signing_alg_values_supported"])
		// P10: some clients take the first method that they know, so `none` is the last.
		if endpoint == "token" && !strings.HasSuffix(string(methods), `,"none"]`) {
			t.Errorf("token endpoint: methods %s", methods)
		}
		if !strings.Contains(string(methods), `"private_key_jwt"`) || !strings.Contains(string(algs), `"ES256"`) ||
			strings.Contains(string(algs), "HS") || strings.Contains(string(algs), "none") {
			t.Errorf("%s endpoint: methods %s, algorithms %s", endpoint, methods, algs)
		}
	}
}

// TestHardeningCLI10And11 (CLI-10, CLI-11): an assertion authenticates once, whoever sends it
// and however many at once; another client may use the same jti.
func TestHardeningCLI10And11(t *testing.T) {
	g, service, changing := newSigners(t)
	once := asserting(service.assertion(service.claims(map[string]any{"jti": "one"})))
	if res := g.post("/oauth/token", once); res.StatusCode != http.StatusOK {
		t.Fatalf("first use: %d %s", res.StatusCode, res.Body)
	}
	wantOAuthError(t, g.post("/oauth/token", once), http.StatusUnauthorized, "invalid_client")
	again := asserting(service.assertion(service.claims(map[string]any{"jti": "one", "x": "another text"})))
	wantOAuthError(t, g.post("/oauth/token", again), http.StatusUnauthorized, "invalid_client")
	if !g.heard.has(oauth.EventClientAuth, oauth.Outcome(oauth.ReasonReplayed)) {
		t.Error("the replay was not reported as one")
	}
	if res := g.post("/oauth/token", asserting(changing.assertion(changing.claims(map[string]any{"jti": "one"})))); res.StatusCode != http.StatusOK {
		t.Errorf("the same jti of another client: %d %s", res.StatusCode, res.Body)
	}
	if res := g.post("/oauth/token", asserting(service.assertion(service.claims(map[string]any{"jti": strings.Repeat("j", 4<<10)})))); res.StatusCode != http.StatusOK {
		t.Errorf("a jti of 4 KiB: %d %s", res.StatusCode, res.Body)
	}
	same := asserting(service.assertion(service.claims(nil)))
	var ok, refused atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			switch res := g.post("/oauth/token", same); res.StatusCode {
			case http.StatusOK:
				ok.Add(1)
			case http.StatusUnauthorized:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if ok.Load() != 1 || refused.Load() != 99 {
		t.Errorf("%d passed and %d were refused, want 1 and 99", ok.Load(), refused.Load())
	}
}

// TestHardeningCLI12 (CLI-12): the audience is the issuer or the endpoint that is called,
// and nothing beside it; the other claims are held to RFC 7523 §3. What is refused is not used up.
func TestHardeningCLI12(t *testing.T) {
	g, s, _ := newSigners(t)
	now := g.clock().Unix()
	for _, tc := range []struct {
		name   string
		claims map[string]any
		ok     bool
	}{
		{"good", nil, true},
		{"no iat", map[string]any{"iat": nil}, true},
		{"nbf", map[string]any{"nbf": now}, true},
		{"slow clock of ours", map[string]any{"iat": now + 9, "exp": now + 309}, true},
		{"expired within the leeway", map[string]any{"exp": now - 9}, true},
		{"P2: token endpoint", map[string]any{"aud": testIssuer + "oauth/token"}, true},
		{"P2: introspection endpoint", map[string]any{"aud": testIssuer + "oauth/introspect"}, false},
		{"P2: token endpoint of another server", map[string]any{"aud": "https://other.example.com/oauth/token"}, false},
		{"P2: issuer and token endpoint", map[string]any{"aud": []string{testIssuer, testIssuer + "oauth/token"}}, false},
		{"P2: no audience in the list", map[string]any{"aud": []string{}}, false},
		{"list", map[string]any{"aud": []string{testIssuer, "https://evil.example/"}}, false},
		{"P2: list of one", map[string]any{"aud": []string{testIssuer}}, true},
		{"other server", map[string]any{"aud": "https://other.example.com/"}, false},
		{"without its slash", map[string]any{"aud": strings.TrimSuffix(testIssuer, "/")}, false},
		{"no aud", map[string]any{"aud": nil}, false},
		{"no iss", map[string]any{"iss": nil}, false},
		{"iss of another", map[string]any{"iss": "changing"}, false},
		{"no sub", map[string]any{"sub": nil}, false},
		{"sub of another", map[string]any{"sub": "changing"}, false},
		{"sub of nobody", map[string]any{"iss": "nobody", "sub": "nobody"}, false},
		{"sub of a public client", map[string]any{"iss": "spa", "sub": "spa"}, false},
		{"no jti", map[string]any{"jti": nil}, false},
		{"empty jti", map[string]any{"jti": ""}, false},
		{"jti is a number", map[string]any{"jti": 1}, false},
		{"jti of 10 KiB", map[string]any{"jti": strings.Repeat("j", 10<<10)}, false},
		{"no exp", map[string]any{"exp": nil}, false},
		{"exp is a text", map[string]any{"exp": "9999999999"}, false},
		{"expired", map[string]any{"exp": now - 11}, false},
		{"P2: exp in an hour", map[string]any{"exp": now + 3600}, true},
		{"P2: exp in an hour, by a slow clock of ours", map[string]any{"exp": now + 3609}, true},
		{"P2: exp in more than an hour", map[string]any{"exp": now + 3660}, false},
		{"iat in the future", map[string]any{"iat": now + 30}, false},
		{"nbf in the future", map[string]any{"nbf": now + 30}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := g.store.writes.Load()
			res := g.post("/oauth/token", asserting(s.assertion(s.claims(tc.claims))))
			if tc.ok {
				if res.StatusCode != http.StatusOK {
					t.Errorf("%d %s", res.StatusCode, res.Body)
				}
				return
			}
			wantOAuthError(t, res, http.StatusUnauthorized, "invalid_client")
			if g.store.writes.Load() != before {
				t.Error("a refused assertion was written to the store")
			}
		})
	}
}

// TestHardeningCLI13 (CLI-13): the algorithm is the key's, and the key the client's.
func TestHardeningCLI13(t *testing.T) {
	g, s, other := newSigners(t)
	payload, err := json.Marshal(s.claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	raw := func(header string) string {
		b64 := base64.RawURLEncoding.EncodeToString
		return b64([]byte(header)) + "." + b64(payload) + "." + b64([]byte("signature"))
	}
	typed := func(key *jose.PrivateKey, typ string) string {
		text, err := jose.Sign(key, typ, payload)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	stranger, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	good := typed(s.key, "JWT")
	idToken := jsonOf(t, g.exchange(codeOf(t, g)))["id_token"].(string)
	for _, tc := range []struct{ name, assertion string }{
		{"none", raw(`{"alg":"none"}`)},
		{"none without signature", strings.TrimSuffix(raw(`{"alg":"none"}`), "c2lnbmF0dXJl")},
		{"HS256", raw(`{"alg":"HS256"}`)},
		{"another algorithm", raw(`{"alg":"RS256"}`)},
		{"embedded key", raw(`{"alg":"ES256","jwk":{"kty":"EC"}}`)},
		{"named key", raw(`{"alg":"ES256","jku":"https://evil.example/jwks.json"}`)},
		{"critical extension", raw(`{"alg":"ES256","crit":["x"]}`)},
		{"CLI-14 header null", raw(`null`)},
		{"CLI-14 header a list", raw(`[]`)},
		{"key of a stranger", typed(stranger, "JWT")},
		{"key of another client", typed(other.key, "JWT")},
		{"access token", typed(s.key, verify.TypeAccessToken)},
		{"proof", typed(s.key, "dpop+jwt")},
		{"ID token of ours", idToken},
		{"changed", good[:len(good)-4] + "AAAA"},
		{"two dots", ".."},
		{"a word", "x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantOAuthError(t, g.post("/oauth/token", asserting(tc.assertion)), http.StatusUnauthorized, "invalid_client")
		})
	}
	for _, typ := range []string{"JWT", "client-authentication+jwt"} {
		payload, _ = json.Marshal(s.claims(nil))
		if res := g.post("/oauth/token", asserting(typed(s.key, typ))); res.StatusCode != http.StatusOK {
			t.Errorf("typ %s: %d %s", typ, res.StatusCode, res.Body)
		}
	}
}

// codeOf logs alice in at the SPA.
func codeOf(t *testing.T, g *gateway) string {
	t.Helper()
	_, q := location(t, g.browser().signIn(authorizeURL(), "alice", testPassword))
	return q.Get("code")
}

// TestHardeningCLI14 (CLI-14): what surrounds the assertion.
func TestHardeningCLI14(t *testing.T) {
	g, s, changing := newSigners(t)
	for _, tc := range []struct {
		name   string
		change func(url.Values)
		header string
		status int
		code   string
	}{
		{"SAML", func(f url.Values) {
			f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
		}, "", 401, "invalid_client"},
		{"no type", func(f url.Values) { f.Del("client_assertion_type") }, "", 400, "invalid_request"},
		{"no assertion", func(f url.Values) { f.Del("client_assertion") }, "", 400, "invalid_request"},
		{"with a secret", func(f url.Values) { f.Set("client_secret", webSecret) }, "", 400, "invalid_request"},
		{"with Basic", func(url.Values) {}, basic("changing", webSecret), 400, "invalid_request"},
		{"client_id of another", func(f url.Values) { f.Set("client_id", "changing") }, "", 401, "invalid_client"},
		{"twice", func(f url.Values) { f.Add("client_assertion", "x") }, "", 400, "invalid_request"},
		{"too large", func(f url.Values) { f.Set("client_assertion", strings.Repeat("a", 9<<10)) }, "", 401, "invalid_client"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := asserting(s.assertion(s.claims(nil)))
			tc.change(f)
			var headers []string
			if tc.header != "" {
				headers = []string{"Authorization", tc.header}
			}
			wantOAuthError(t, g.post("/oauth/token", f, headers...), tc.status, tc.code)
		})
	}
	t.Run("a secret of a client that has keys only", func(t *testing.T) {
		f := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.id}, "client_secret": {webSecret}}
		wantOAuthError(t, g.post("/oauth/token", f), http.StatusUnauthorized, "invalid_client")
	})
	t.Run("an assertion of a client that has a secret only", func(t *testing.T) {
		thief := signer{g, "machine", changing.key}
		wantOAuthError(t, g.post("/oauth/token", asserting(thief.assertion(thief.claims(nil)))), http.StatusUnauthorized, "invalid_client")
	})
	t.Run("in the URL", func(t *testing.T) {
		res := g.post("/oauth/token?client_assertion=x", asserting(s.assertion(s.claims(nil))))
		wantOAuthError(t, res, http.StatusBadRequest, "invalid_request")
	})
}

// TestAssertionWithoutStore: an assertion that cannot be used up does not pass,
// and the client is told to come back.
func TestAssertionWithoutStore(t *testing.T) {
	g, s, _ := newSigners(t)
	f := asserting(s.assertion(s.claims(nil)))
	g.store.down.Store(true)
	res := g.post("/oauth/token", f)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	g.store.down.Store(false)
	if res := g.post("/oauth/token", f); res.StatusCode != http.StatusOK {
		t.Errorf("after the outage: %d %s", res.StatusCode, res.Body)
	}
}

// TestCredentialsOverlap: while a secret or key is changed both work, and what
// is used is told by option and number.
func TestCredentialsOverlap(t *testing.T) {
	g, service, changing := newSigners(t)
	for _, tc := range []struct {
		name, secret, want string
	}{
		{"older secret", "older", "secret_hash 1"},
		{"newer secret", webSecret, "secret_hash 2"},
		{"key", "", "public_key 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := url.Values{"grant_type": {"client_credentials"}, "client_id": {"changing"}, "client_secret": {tc.secret}}
			if tc.secret == "" {
				f = asserting(changing.assertion(changing.claims(nil)))
			}
			if g.heard.has(oauth.EventClientCredential, oauth.Outcome(tc.want)) {
				t.Fatal("it was told already")
			}
			if res := g.post("/oauth/token", f); res.StatusCode != http.StatusOK {
				t.Fatalf("%d %s", res.StatusCode, res.Body)
			}
			if !g.heard.has(oauth.EventClientCredential, oauth.Outcome(tc.want)) {
				t.Errorf("nothing told that %s was used", tc.want)
			}
		})
	}
	g.post("/oauth/token", asserting(service.assertion(service.claims(nil))))
	if g.heard.has(oauth.EventClientCredential, "public_key 1") {
		t.Error("told of a client that has one key only")
	}
}

// P2: an assertion may be for the endpoint that is called, or for the token endpoint,
// unless the client's are for the issuer alone; and a refusal says why in the log.
func TestP2AssertionAudience(t *testing.T) {
	g, s, strict := newSigners(t)
	client, _ := g.Issuer.Configured("changing")
	client.Keys.IssuerAudience = true
	token, introspect := testIssuer+"oauth/token", testIssuer+"oauth/introspect"
	for _, tc := range []struct {
		name string
		s    signer
		path string
		aud  any
		why  string // of the refusal, in the log
	}{
		{"P2: introspection, the endpoint", s, "/oauth/introspect", introspect, ""},
		{"P2: introspection, the token endpoint", s, "/oauth/introspect", token, ""},
		{"P2: introspection, the path as sent", s, "//oauth/introspect", testIssuer + "/oauth/introspect", ""},
		{"P2: revocation, the endpoint", s, "/oauth/revoke", testIssuer + "oauth/revoke", ""},
		{"P2: revocation, another endpoint", s, "/oauth/revoke", introspect, "has to be the issuer " + testIssuer + " or the URL of the endpoint"},
		{"P2: two", s, "/oauth/introspect", []string{testIssuer, introspect}, "its aud has 2 values"},
		{"P2: a number", s, "/oauth/introspect", 7, `the claim "aud" has the wrong type`},
		{"P2: strict, the issuer", strict, "/oauth/introspect", testIssuer, ""},
		{"P2: strict, the endpoint", strict, "/oauth/introspect", introspect, "has to be the text " + testIssuer},
		{"P2: strict, the token endpoint", strict, "/oauth/token", token, "has to be the text " + testIssuer},
		{"P2: strict, a list of one", strict, "/oauth/introspect", []string{testIssuer}, "has to be the text " + testIssuer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			heard := len(g.heard.of(oauth.EventClientAuth))
			res := g.post(tc.path, asserting(tc.s.assertion(tc.s.claims(map[string]any{"aud": tc.aud})), "token", "x"))
			if tc.why == "" {
				if res.StatusCode != http.StatusOK {
					t.Errorf("%d %s", res.StatusCode, res.Body)
				}
				return
			}
			wantOAuthError(t, res, http.StatusUnauthorized, "invalid_client")
			told := g.heard.of(oauth.EventClientAuth)[heard:]
			if len(told) != 1 || told[0].Cause == nil || !strings.Contains(told[0].Cause.Error(), tc.why) {
				t.Errorf("told %+v", told)
			}
		})
	}
}
