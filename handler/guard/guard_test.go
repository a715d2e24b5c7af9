package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/wire/wiretest"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

const (
	testIssuer = "https://auth.example.com/"
	testAPI    = "https://api.example.com"
	appOrigin  = "https://app.example.com"
	ordersURL  = "https://api.example.com/orders"
	// somebodysKey is the thumbprint of RFC 9449 §6.1, whose key nobody here has.
	somebodysKey = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
)

// checker accepts the tokens that it knows.
type checker map[string]*verify.Claims

func (c checker) CheckAccess(_ context.Context, token string) (*verify.Claims, error) {
	if token == "store-down" {
		return nil, oauth.AsError(errors.New("store is down"))
	}
	if claims, ok := c[token]; ok {
		return claims, nil
	}
	return nil, &oauth.Error{Code: oauth.InvalidToken, Reason: oauth.ReasonBadSignature, Description: "The access token is invalid."}
}

func (c checker) CheckAgain(context.Context, *verify.Claims, bool) error { return nil }

// claimsOf makes claims of a JSON object, the required ones added.
func claimsOf(t testing.TB, extra string) *verify.Claims {
	t.Helper()
	payload := map[string]any{
		"iss": testIssuer, "sub": "local|bob", "aud": []string{testAPI}, "client_id": "spa", "scope": "orders:read profile",
		"jti": "AAAAAAAAAAAAAAAAAAAAAA", "exp": 4e9, "iat": 1,
	}
	if extra != "" {
		if err := json.Unmarshal([]byte(extra), &payload); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	c, err := verify.ParseClaims(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTestGuard(t testing.TB, known checker, change ...func(*Config)) *Guard {
	t.Helper()
	if known == nil {
		known = make(checker)
	}
	if known["good"] == nil {
		known["good"] = claimsOf(t, "")
	}
	cfg := Config{
		Access: known, Audience: []string{testAPI}, IssuerURL: testIssuer,
		CORS: true, Origins: func(o string) bool { return o == appOrigin },
	}
	for _, c := range change {
		c(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// guarded sends a request through the guard to an upstream that notes what it sees.
func guarded(t *testing.T, g *Guard, r *http.Request, upstream http.HandlerFunc) (res *wiretest.Answer, seen *http.Request) {
	t.Helper()
	w := httptest.NewRecorder()
	result, err := g.Check(w, r)
	refusal := new(Refusal)
	switch {
	case errors.As(err, &refusal):
		w.WriteHeader(refusal.Status)
	case err != nil:
		t.Fatalf("error %v is no Refusal", err)
	case !result.Answered:
		seen = r
		if upstream == nil {
			upstream = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
		}
		upstream(result.Writer, r)
	}
	return wiretest.AnswerOf(t, w), seen
}

func request(t *testing.T, method, target string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1]) // as sent: no canonical spelling
	}
	return r
}

const metadataParameter = `, resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`

// JWT-37, JWT-42, JWT-47: the rules of this route, on every request.
// Before the store has answered, who shows no token hears where to get one, and nobody comes in.
func TestBeforeTheStoreAnswers(t *testing.T) {
	g := newTestGuard(t, checker{"good": claimsOf(t, "")}, func(c *Config) {
		c.Ready = func(context.Context) error { return oauth.Unavailable(errors.New("Redis is away")) }
	})
	for header, want := range map[string]int{"": 401, "Bearer good": 503} {
		r := request(t, http.MethodGet, "/")
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if res, seen := guarded(t, g, r, nil); res.StatusCode != want || seen != nil {
			t.Errorf("%q: status %d, upstream %v", header, res.StatusCode, seen)
		}
	}
}

func TestGuardRules(t *testing.T) {
	for _, tc := range []struct {
		name, claims string
		change       func(*Config)
		status       int
	}{
		{"no rules", ``, func(*Config) {}, 200},
		{"audience of another API", `{"aud":"https://other.example.com"}`, func(*Config) {}, 401},
		{"audience that begins so", `{"aud":"https://api.example.com.evil.com"}`, func(*Config) {}, 401},
		{"one of the audiences", `{"aud":["x","https://api.example.com"]}`, func(*Config) {}, 200},
		{"all scopes", ``, func(c *Config) { c.Scopes = []string{"orders:read", "profile"} }, 200},
		{"a scope lacks", ``, func(c *Config) { c.Scopes = []string{"orders:read", "orders:write"} }, 403},
		{"scope that begins so", `{"scope":"orders:read2"}`, func(c *Config) { c.Scopes = []string{"orders:read"} }, 403},
		{"scope of another case", `{"scope":"ORDERS:READ"}`, func(c *Config) { c.Scopes = []string{"orders:read"} }, 403},
		{"scopes joined by a tab", `{"scope":"orders:read\torders:write"}`, func(c *Config) { c.Scopes = []string{"orders:read"} }, 403},
		{"one of the scopes", ``, func(c *Config) { c.ScopeAny = []string{"x", "profile"} }, 200},
		{"none of the scopes", ``, func(c *Config) { c.ScopeAny = []string{"x", "y"} }, 403},
		{"claim", `{"org":"acme"}`, rule("org", "acme"), 200},
		{"claim, one of", `{"org":"acme"}`, rule("org", "x", "acme"), 200},
		{"claim in a list", `{"org":["x","acme"]}`, rule("org", "acme"), 200},
		{"claim is a number", `{"level":3}`, rule("level", "3"), 200},
		{"claim is a boolean", `{"admin":true}`, rule("admin", "true"), 200},
		{"claim nested", `{"org":{"id":"acme"}}`, rule("org.id", "acme"), 200},
		{"claim with a URL for a name", `{"https://x.example/org":"acme"}`, rule("https://x.example/org", "acme"), 200},
		{"claim lacks", ``, rule("org", "acme"), 401},
		{"claim differs", `{"org":"acme2"}`, rule("org", "acme"), 401},
		{"claim of another case", `{"Org":"acme"}`, rule("org", "acme"), 401},
		{"claim is an object", `{"org":{"acme":true}}`, rule("org", "acme"), 401},
		{"claim is null", `{"org":null}`, rule("org", ""), 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newTestGuard(t, checker{"good": claimsOf(t, tc.claims)}, tc.change)
			res, _ := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer good"), nil)
			if res.StatusCode != tc.status {
				t.Errorf("%d, want %d", res.StatusCode, tc.status)
			}
			challenge := res.Header.Get("WWW-Authenticate")
			if tc.status == 403 && (!strings.Contains(challenge, `error="insufficient_scope"`) || strings.Count(challenge, `scope="`) != 1 || !strings.HasSuffix(challenge, metadataParameter)) {
				t.Errorf("challenge %q", challenge)
			}
			if tc.status == 401 && !strings.Contains(challenge, `error="invalid_token"`) {
				t.Errorf("challenge %q", challenge)
			}
		})
	}
}

// RFC 6750 §3: a challenge says what scope to ask for, and why only where there
// was a token. MCP clients read it there.
func TestChallengeNamesTheScope(t *testing.T) {
	for _, tc := range []struct {
		name, auth string
		change     func(*Config)
		want       string
	}{
		{"no token", "", func(c *Config) { c.Scopes = []string{"orders:read", "orders:write"} }, `, scope="orders:read orders:write"` + metadataParameter},
		{"one of", "", func(c *Config) { c.ScopeAny = []string{"a", "b"} }, `, scope="a"` + metadataParameter},
		{"no scope", "", func(*Config) {}, metadataParameter},
		{
			"bad token", "Bearer bad", func(c *Config) { c.Scopes = []string{"orders:read"} },
			`, error="invalid_token", error_description="The access token is invalid.", scope="orders:read"` + metadataParameter,
		},
		{
			"too little", "Bearer good", func(c *Config) { c.Scopes = []string{"orders:write"} },
			`, error="insufficient_scope", error_description="The access token lacks a scope that this request needs.", scope="orders:write"` + metadataParameter,
		},
	} {
		r := request(t, http.MethodGet, "/")
		if tc.auth != "" {
			r.Header.Set("Authorization", tc.auth)
		}
		res, _ := guarded(t, newTestGuard(t, nil, tc.change), r, nil)
		if got, want := res.Header.Get("WWW-Authenticate"), `Bearer realm="https://api.example.com"`+tc.want; got != want {
			t.Errorf("%s: %s, want %s", tc.name, got, want)
		}
	}
}

func rule(claim string, values ...string) func(*Config) {
	return func(c *Config) { c.Claims = []ClaimRule{{Claim: claim, Values: values}} }
}

func mapping(pairs ...string) func(*Config) {
	return func(c *Config) {
		for i := 0; i < len(pairs); i += 2 {
			c.Headers = append(c.Headers, identity.Mapping{Header: pairs[i], Claim: pairs[i+1]})
		}
	}
}

// An absent token is forgiven, and nothing else: neither a bad one, nor one that
// cannot be told, nor one that another site may have made the browser send.
func TestOptional(t *testing.T) {
	g := newTestGuard(t, nil, func(c *Config) { c.Optional, c.Cookie = true, "tok" })
	for _, tc := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"nothing", "GET", nil, 200},
		{"good", "GET", []string{"Authorization", "Bearer good"}, 200},
		{"bad", "GET", []string{"Authorization", "Bearer bad"}, 401},
		{"scheme alone", "GET", []string{"Authorization", "Bearer"}, 400},
		{"another scheme", "GET", []string{"Authorization", "Basic eA=="}, 200},
		{"a tab", "GET", []string{"Authorization", "Bearer\tgarbage"}, 400},
		{"a tab ahead", "GET", []string{"Authorization", "\tBearer garbage"}, 400},
		{"a comma", "GET", []string{"Authorization", "DPoP,garbage"}, 400},
		{"a scheme that begins so", "GET", []string{"Authorization", "Bearers garbage"}, 200},
		{"a good cookie", "GET", []string{"Cookie", "tok=good"}, 200},
		{"an empty cookie", "GET", []string{"Cookie", "tok=; a=b"}, 200},
		{"a bad cookie", "GET", []string{"Cookie", "tok=bad"}, 401},
		{"two cookies", "GET", []string{"Cookie", "tok=good; tok=good"}, 400},
		{"two cookies, one empty", "GET", []string{"Cookie", "tok=good; tok="}, 400},
		{"a cookie that net/http drops", "GET", []string{"Cookie", "tok=go\\od"}, 400},
		{"a cookie beside another scheme", "GET", []string{"Cookie", "tok=good", "Authorization", "Basic eA=="}, 400},
		{"a cookie of another site", "POST", []string{"Cookie", "tok=good", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 401},
		{"a WebSocket of another site", "GET", []string{"Cookie", "tok=good", "Upgrade", "websocket", "Origin", "https://evil.example"}, 401},
		{"a WebSocket of another site over HTTP/2", "CONNECT", []string{"Cookie", "tok=good", "Origin", "https://evil.example"}, 401},
		{"a WebSocket of this site", "GET", []string{"Cookie", "tok=good", "Upgrade", "websocket", "Origin", "http://example.com"}, 200},
		{"a WebSocket of another site without a cookie", "GET", []string{"Upgrade", "websocket", "Origin", "https://evil.example"}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(t, tc.method, "/", tc.headers...)
			if res, seen := guarded(t, g, r, nil); res.StatusCode != tc.status || (seen != nil) != (tc.status == 200) {
				t.Errorf("%d %v, want %d", res.StatusCode, res.Header, tc.status)
			}
		})
	}
}

func TestResourceMetadata(t *testing.T) {
	for _, tc := range []struct {
		name     string
		change   func(*Config)
		path     string
		resource string
		url      string
	}{
		{"origin", func(*Config) {}, "/.well-known/oauth-protected-resource", testAPI, "https://api.example.com/.well-known/oauth-protected-resource"},
		{
			"path", func(c *Config) { c.Audience = []string{"https://api.example.com/v1/"} },
			"/.well-known/oauth-protected-resource/v1", "https://api.example.com/v1/", "https://api.example.com/.well-known/oauth-protected-resource/v1",
		},
		{
			"no URL", func(c *Config) { c.Audience = []string{"urn:orders"} },
			"/.well-known/oauth-protected-resource", "urn:orders", "http://example.com/.well-known/oauth-protected-resource",
		},
		{
			"elsewhere", func(c *Config) { c.MetadataURL = "https://meta.example.com/x" },
			"/.well-known/oauth-protected-resource", testAPI, "https://meta.example.com/x",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newTestGuard(t, nil, tc.change, func(c *Config) { c.Scopes = []string{"orders:read"} })
			res, seen := guarded(t, g, request(t, http.MethodGet, tc.path, "Origin", "https://any.example"), nil)
			var doc map[string]any
			if err := json.Unmarshal([]byte(res.Body), &doc); err != nil {
				t.Fatalf("%d %q: %v", res.StatusCode, res.Body, err)
			}
			if seen != nil || doc["resource"] != tc.resource || fmt.Sprint(doc["authorization_servers"]) != "["+testIssuer+"]" || fmt.Sprint(doc["scopes_supported"]) != "[orders:read]" {
				t.Errorf("document %v", doc)
			}
			if res.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("headers %v", res.Header)
			}
			res, _ = guarded(t, g, request(t, http.MethodGet, "/x"), nil)
			if !strings.HasSuffix(res.Header.Get("WWW-Authenticate"), `, resource_metadata="`+tc.url+`"`) {
				t.Errorf("challenge %q", res.Header.Get("WWW-Authenticate"))
			}
			if res, _ = guarded(t, g, request(t, http.MethodPost, tc.path), nil); res.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("POST: %d", res.StatusCode)
			}
			for _, other := range []string{tc.path + "/x", "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/"} {
				if res, _ = guarded(t, g, request(t, http.MethodGet, other), nil); other != tc.path && res.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: %d", other, res.StatusCode)
				}
			}
		})
	}
}

func TestNewGuardErrors(t *testing.T) {
	good := Config{Access: checker{}, Audience: []string{"a"}, IssuerURL: testIssuer}
	for name, change := range map[string]func(*Config){
		"no audience":         func(c *Config) { c.Audience = nil },
		"no checker":          func(c *Config) { c.Access = nil },
		"CORS, no origins":    func(c *Config) { c.CORS = true },
		"header is no name":   mapping("X Y", "sub"),
		"no claim":            mapping("X-Y", ""),
		"header twice":        mapping("X-Y", "sub", "x_y", "email"),
		"header is a smuggle": mapping("X-Y\r\nZ", "sub"),
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The path of a repeated valid token must not allocate more than the guard must. M5: its
// groups cost nothing more.
func TestGuardAllocations(t *testing.T) {
	known := checker{"good": claimsOf(t, `{"groups":["eu","staff"]}`)}
	g := newTestGuard(t, known, mapping("X-User-Id", "sub"), func(c *Config) {
		c.Scopes, c.For, c.CORS = []string{"orders:read"}, people.Rule{{"editors", "staff"}, {"eu"}}, false
	})
	r := request(t, http.MethodGet, "/x?a=b", "Authorization", "Bearer good", "User-Agent", "x", "Accept", "*/*")
	w := httptest.NewRecorder()
	n := testing.AllocsPerRun(1000, func() {
		if _, err := g.Check(w, r); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 { // the value of X-User-Id
		t.Errorf("%v allocations per request", n)
	}
}

func BenchmarkGuard(b *testing.B) {
	g := newTestGuard(b, nil, mapping("X-User-Id", "sub"), func(c *Config) { c.Scopes = []string{"orders:read"} })
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/x?a=b", nil)
	r.Header.Set("Authorization", "Bearer good")
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Check(w, r); err != nil {
			b.Fatal(err)
		}
	}
}
