package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// checker accepts the tokens that it knows.
type checker map[string]*tokens.Claims

func (c checker) CheckAccess(_ context.Context, token string) (*tokens.Claims, error) {
	if token == "store-down" {
		return nil, tokens.AsError(errors.New("store is down"))
	}
	if claims, ok := c[token]; ok {
		return claims, nil
	}
	return nil, &tokens.Error{Code: tokens.InvalidToken, Reason: tokens.ReasonBadSignature, Description: "The access token is invalid."}
}

// claimsOf makes claims of a JSON object, the required ones added.
func claimsOf(t testing.TB, extra string) *tokens.Claims {
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
	c, err := tokens.ParseClaims(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTestGuard(t testing.TB, known checker, change ...func(*GuardConfig)) *Guard {
	t.Helper()
	if known == nil {
		known = make(checker)
	}
	if known["good"] == nil {
		known["good"] = claimsOf(t, "")
	}
	cfg := GuardConfig{
		Issuer: known, Audience: []string{testAPI}, IssuerURL: testIssuer,
		CORS: true, Origins: func(o string) bool { return o == spaOrigin },
	}
	for _, c := range change {
		c(&cfg)
	}
	g, err := NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// guarded sends a request through the guard to an upstream that notes what it sees.
func guarded(t *testing.T, g *Guard, r *http.Request, upstream http.HandlerFunc) (res *answer, seen *http.Request) {
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
	return answerOf(t, w), seen
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

func TestHardeningJWT48To51(t *testing.T) {
	bare := `Bearer realm="https://api.example.com"` + metadataParameter
	bad := `Bearer realm="https://api.example.com", error="invalid_token", error_description="The access token is invalid."` + metadataParameter
	malformed := `Bearer realm="https://api.example.com", error="invalid_request"`
	for _, tc := range []struct {
		name, target string
		headers      []string
		status       int
		challenge    string // a prefix
	}{
		{"good", "/x", []string{"Authorization", "Bearer good"}, 200, ""},
		{"lower case", "/x", []string{"Authorization", "bearer good"}, 200, ""},
		{"two spaces", "/x", []string{"Authorization", "Bearer  good"}, 200, ""},
		{"JWT-48 none", "/x", nil, 401, bare},
		{"JWT-49 scheme only", "/x", []string{"Authorization", "Bearer"}, 400, malformed},
		{"JWT-49 scheme and space", "/x", []string{"Authorization", "Bearer "}, 400, malformed},
		{"JWT-49 two words", "/x", []string{"Authorization", "Bearer  a b"}, 400, malformed},
		{"JWT-49 Basic", "/x", []string{"Authorization", "Basic Z29vZDo="}, 401, bare},
		{"JWT-49 scheme that begins so", "/x", []string{"Authorization", "BearerX good"}, 401, bare},
		{"DPoP", "/x", []string{"Authorization", "DPoP good"}, 401, bare},
		{"empty", "/x", []string{"Authorization", ""}, 401, bare},
		{"JWT-20 JSON", "/x", []string{"Authorization", `Bearer {"payload":"a","signatures":[]}`}, 401, bad},
		{"JWT-23 space in a segment", "/x", []string{"Authorization", "Bearer a. b.c"}, 401, bad},
		{"bad", "/x", []string{"Authorization", "Bearer x.y.z"}, 401, bad},
		{"JWT-50 header and query", "/x?access_token=good", []string{"Authorization", "Bearer good"}, 400, malformed},
		{"JWT-50 header and broken query", "/x?access_token=good&%zz", []string{"Authorization", "Bearer good"}, 400, malformed},
		{"a value that says access_token", "/x?q=access_token", []string{"Authorization", "Bearer good"}, 200, ""},
		{"query only", "/x?access_token=good", nil, 401, bare},
		{"JWT-51 twice", "/x", []string{"Authorization", "Bearer good", "Authorization", "Bearer good"}, 400, malformed},
		{"JWT-51 twice, one garbage", "/x", []string{"Authorization", "garbage", "Authorization", "Bearer good"}, 400, malformed},
		{"JWT-51 joined", "/x", []string{"Authorization", "Bearer good, Bearer good"}, 400, malformed},
		{"store down", "/x", []string{"Authorization", "Bearer store-down"}, 503, ""},
		{"cookie that is not configured", "/x", []string{"Cookie", "token=good"}, 401, bare},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, seen := guarded(t, newTestGuard(t, nil), request(t, http.MethodGet, tc.target, tc.headers...), nil)
			got := res.Header.Get("WWW-Authenticate")
			if res.StatusCode != tc.status || !strings.HasPrefix(got, tc.challenge) || tc.challenge == "" && got != "" || tc.challenge == bare && got != bare {
				t.Errorf("%d %q, want %d %q", res.StatusCode, got, tc.status, tc.challenge)
			}
			if (seen != nil) != (tc.status == 200) {
				t.Errorf("reached the upstream: %t", seen != nil)
			}
			if tc.status == 503 && res.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

func TestHardeningJWT53(t *testing.T) {
	g := newTestGuard(t, checker{"bound": claimsOf(t, `{"cnf":{"jkt":"abc"}}`)})
	res, seen := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer bound"), nil)
	if res.StatusCode != 401 || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), `DPoP error="invalid_token", algs="ES256 EdDSA"`) || seen != nil {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// JWT-37, JWT-42, JWT-47: the rules of this route, on every request.
func TestGuardRules(t *testing.T) {
	for _, tc := range []struct {
		name, claims string
		change       func(*GuardConfig)
		status       int
	}{
		{"no rules", ``, func(*GuardConfig) {}, 200},
		{"audience of another API", `{"aud":"https://other.example.com"}`, func(*GuardConfig) {}, 401},
		{"audience that begins so", `{"aud":"https://api.example.com.evil.com"}`, func(*GuardConfig) {}, 401},
		{"one of the audiences", `{"aud":["x","https://api.example.com"]}`, func(*GuardConfig) {}, 200},
		{"all scopes", ``, func(c *GuardConfig) { c.Scopes = []string{"orders:read", "profile"} }, 200},
		{"a scope lacks", ``, func(c *GuardConfig) { c.Scopes = []string{"orders:read", "orders:write"} }, 403},
		{"scope that begins so", `{"scope":"orders:read2"}`, func(c *GuardConfig) { c.Scopes = []string{"orders:read"} }, 403},
		{"scope of another case", `{"scope":"ORDERS:READ"}`, func(c *GuardConfig) { c.Scopes = []string{"orders:read"} }, 403},
		{"scopes joined by a tab", `{"scope":"orders:read\torders:write"}`, func(c *GuardConfig) { c.Scopes = []string{"orders:read"} }, 403},
		{"one of the scopes", ``, func(c *GuardConfig) { c.ScopeAny = []string{"x", "profile"} }, 200},
		{"none of the scopes", ``, func(c *GuardConfig) { c.ScopeAny = []string{"x", "y"} }, 403},
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
			if tc.status == 403 && (!strings.Contains(challenge, `error="insufficient_scope"`) || !strings.Contains(challenge, `scope="`)) {
				t.Errorf("challenge %q", challenge)
			}
			if tc.status == 401 && !strings.Contains(challenge, `error="invalid_token"`) {
				t.Errorf("challenge %q", challenge)
			}
		})
	}
}

func rule(claim string, values ...string) func(*GuardConfig) {
	return func(c *GuardConfig) { c.Claims = []ClaimRule{{Claim: claim, Values: values}} }
}

func mapping(pairs ...string) func(*GuardConfig) {
	return func(c *GuardConfig) {
		for i := 0; i < len(pairs); i += 2 {
			c.Headers = append(c.Headers, HeaderMapping{Header: pairs[i], Claim: pairs[i+1]})
		}
	}
}

func TestHardeningHDR01To07(t *testing.T) {
	g := newTestGuard(t, nil, mapping("X-Auth-Subject", "sub", "X-Auth-Email", "email"), func(c *GuardConfig) { c.Optional = true })
	forged := []string{
		"X-Auth-Subject", "admin", "X-Auth-Subject", "root", "X.Auth.Subject", "admin", "X_Auth_Subject", "admin",
		"x-auth_subject", "admin", "X-Auth-Email", "admin@x", "x_auth.email", "admin@x", "X-Auth-Subject2", "stays",
		"Connection", "close, X-Auth-Subject , x_auth_email, Upgrade", "Upgrade", "websocket",
	}
	for _, tc := range []struct{ name, token, want string }{{"with a token", "good", "local|bob"}, {"without", "", ""}} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(t, http.MethodGet, "/", forged...)
			if tc.token != "" {
				r.Header.Set("Authorization", "Bearer "+tc.token)
			}
			r.Trailer = http.Header{"X-Auth-Subject": nil}
			res, seen := guarded(t, g, r, nil)
			if seen == nil {
				t.Fatalf("refused: %d", res.StatusCode)
			}
			var names []string
			for name, values := range seen.Header {
				if sameHeader(name, "X-Auth-Subject") || sameHeader(name, "X-Auth-Email") {
					names = append(names, name)
					if name != "X-Auth-Subject" || !slices.Equal(values, []string{tc.want}) {
						t.Errorf("the upstream sees %s: %v", name, values)
					}
				}
			}
			if (len(names) == 1) != (tc.want != "") {
				t.Errorf("the upstream sees %v", names)
			}
			if got := seen.Header.Get("Connection"); got != "close, Upgrade" {
				t.Errorf("Connection %q", got)
			}
			if seen.Header.Get("X-Auth-Subject2") != "stays" || seen.Trailer != nil {
				t.Errorf("headers %v, trailers %v", seen.Header, seen.Trailer)
			}
		})
	}
}

func TestHardeningHDR19To22(t *testing.T) {
	for _, tc := range []struct {
		name, claims, want string
		status             int
	}{
		{"plain", `{"v":"bob"}`, "bob", 200},
		{"missing", `{}`, "", 200},
		{"null", `{"v":null}`, "", 200},
		{"empty", `{"v":""}`, "", 200},
		{"number", `{"v":12345678901234567890}`, "12345678901234567000", 200}, // float64 of the test's own encoder
		{"boolean", `{"v":false}`, "false", 200},
		{"list", `{"v":["a","b c",3]}`, "a,b c,3", 200},
		{"HDR-20 placeholder", `{"v":"{env.SECRET}{http.request.header.X}"}`, "{env.SECRET}{http.request.header.X}", 200},
		{"HDR-19 CRLF", `{"v":"bob\r\nX-Admin: 1"}`, "", 401},
		{"HDR-19 NUL", `{"v":"bob\u0000"}`, "", 401},
		{"HDR-19 tab", `{"v":"bob\t"}`, "", 401},
		{"HDR-19 8 bit", `{"v":"Zoë"}`, "", 401},
		{"HDR-23 direction", `{"v":"admin \u202e"}`, "", 401},
		{"space around", `{"v":" bob"}`, "", 401},
		{"comma in a list", `{"v":["a,b"]}`, "", 401},
		{"list of lists", `{"v":[["a"]]}`, "", 401},
		{"object", `{"v":{"a":"b"}}`, "", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newTestGuard(t, checker{"good": claimsOf(t, tc.claims)}, mapping("X-First", "sub", "X-Value", "v"))
			r := request(t, http.MethodGet, "/", "Authorization", "Bearer good", "X-Forwarded-For", "1.2.3.4")
			res, seen := guarded(t, g, r, nil)
			if res.StatusCode != tc.status {
				t.Fatalf("%d, want %d", res.StatusCode, tc.status)
			}
			if seen == nil {
				if r.Header.Get("X-First") != "" {
					t.Error("a refused request has half of the headers")
				}
				return
			}
			values, present := seen.Header["X-Value"]
			if present != (tc.want != "") || seen.Header.Get("X-Value") != tc.want || len(values) > 1 {
				t.Errorf("the upstream sees %q, want %q", values, tc.want)
			}
		})
	}
}

func TestScopeAndAudienceInHeaders(t *testing.T) {
	g := newTestGuard(t, checker{"good": claimsOf(t, `{"aud":["https://api.example.com","b"]}`)}, mapping("X-Scope", "scope", "X-Aud", "aud"))
	_, seen := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer good"), nil)
	if got := seen.Header.Get("X-Scope"); got != "orders:read profile" {
		t.Errorf("X-Scope %q", got)
	}
	if got := seen.Header.Get("X-Aud"); got != "https://api.example.com,b" {
		t.Errorf("X-Aud %q", got)
	}
}

func TestHardeningHDR12To17(t *testing.T) {
	g := newTestGuard(t, nil)
	for _, tc := range []struct {
		name    string
		method  string
		headers []string
	}{
		{"HDR-12", http.MethodGet, []string{"X-Forwarded-Uri", "/public", "X-Original-Url", "/public", "X-Rewrite-Url", "/public"}},
		{"HDR-13", http.MethodGet, []string{"X-Forwarded-Method", "OPTIONS", "X-Forwarded-Prefix", "/x"}},
		{"HDR-14", http.MethodGet, []string{"User-Agent", "kube-probe/1.0"}},
		{"HDR-17 HEAD", http.MethodHead, nil},
		{"HDR-17 TRACE", http.MethodTrace, nil},
		{"HDR-17 lower case", "get", nil},
		{"HDR-17 override", http.MethodPost, []string{"X-Http-Method-Override", "OPTIONS"}},
		{"HDR-17 WebSocket", http.MethodGet, []string{"Connection", "Upgrade", "Upgrade", "websocket"}},
		{"HDR-18 OPTIONS", http.MethodOptions, nil},
		{"HDR-18 OPTIONS with an origin", http.MethodOptions, []string{"Origin", spaOrigin}},
		{"HDR-18 OPTIONS without an origin", http.MethodOptions, []string{"Access-Control-Request-Method", "GET"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, seen := guarded(t, g, request(t, tc.method, "/admin", tc.headers...), nil)
			if res.StatusCode != 401 || seen != nil {
				t.Errorf("%d, reached the upstream: %t", res.StatusCode, seen != nil)
			}
		})
	}
}

func TestHardeningHDR18(t *testing.T) {
	g := newTestGuard(t, nil)
	ask := []string{"Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "authorization,x-custom"}
	res, seen := guarded(t, g, request(t, http.MethodOptions, "/", append(ask, "Origin", spaOrigin)...), nil)
	h := res.Header
	if res.StatusCode != 204 || seen != nil || h.Get("Access-Control-Allow-Origin") != spaOrigin || h.Get("Access-Control-Allow-Methods") != "PATCH" ||
		h.Get("Access-Control-Allow-Headers") != "authorization,x-custom" || h.Get("Vary") != "Origin" {
		t.Errorf("%d %v", res.StatusCode, h)
	}
	res, seen = guarded(t, g, request(t, http.MethodOptions, "/", append(ask, "Origin", "https://evil.example")...), nil)
	if seen != nil || res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("for a stranger: %d %v", res.StatusCode, res.Header)
	}
	off := newTestGuard(t, nil, func(c *GuardConfig) { c.CORS = false })
	res, seen = guarded(t, off, request(t, http.MethodOptions, "/", append(ask, "Origin", spaOrigin)...), nil)
	if res.StatusCode != 401 || seen != nil || res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Vary") != "" {
		t.Errorf("with CORS off: %d %v", res.StatusCode, res.Header)
	}
}

func TestHardeningWEB07(t *testing.T) {
	g := newTestGuard(t, nil)
	for _, auth := range []string{"", "Bearer x", "Bearer store-down", "Bearer a,b"} {
		r := request(t, http.MethodGet, "/", "Origin", spaOrigin)
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		res, _ := guarded(t, g, r, nil)
		if res.Header.Get("Access-Control-Allow-Origin") != spaOrigin || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
			t.Errorf("%q: %d %v", auth, res.StatusCode, res.Header)
		}
	}
}

// On success ours replaces the upstream's header: never two, never another.
func TestCORSOnSuccess(t *testing.T) {
	g := newTestGuard(t, nil)
	for name, upstream := range map[string]http.HandlerFunc{
		"header, then body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Access-Control-Allow-Origin", "*")
			w.Header().Add("Vary", "Accept")
			w.WriteHeader(http.StatusTeapot)
		},
		"body only": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "https://evil.example")
			w.Header().Set("Vary", "Accept, origin")
			fmt.Fprint(w, "x")
		},
		"flush first": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Access-Control-Allow-Origin", "*")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		},
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Add("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := guarded(t, g, request(t, http.MethodGet, "/", "Origin", spaOrigin, "Authorization", "Bearer good"), upstream)
			if got := res.Header.Values("Access-Control-Allow-Origin"); !slices.Equal(got, []string{spaOrigin}) {
				t.Errorf("Access-Control-Allow-Origin %q", got)
			}
			if n := strings.Count(strings.ToLower(strings.Join(res.Header.Values("Vary"), ",")), "origin"); n != 1 {
				t.Errorf("Vary %q", res.Header.Values("Vary"))
			}
		})
	}
	res, _ := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer good"), nil)
	if res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Vary") != "Origin" {
		t.Errorf("without an origin: %v", res.Header)
	}
}

func TestOptional(t *testing.T) {
	g := newTestGuard(t, nil, func(c *GuardConfig) { c.Optional = true })
	for auth, status := range map[string]int{"": 200, "Bearer good": 200, "Bearer bad": 401, "Bearer": 400, "Basic eA==": 200} {
		r := request(t, http.MethodGet, "/")
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		res, _ := guarded(t, g, r, nil)
		if res.StatusCode != status {
			t.Errorf("%q: %d, want %d", auth, res.StatusCode, status)
		}
	}
}

func TestTokenInCookie(t *testing.T) {
	g := newTestGuard(t, nil, func(c *GuardConfig) { c.Cookie = "tok"; c.StripToken = true })
	for _, tc := range []struct {
		name, method string
		headers      []string
		status       int
		cookies      string // that the upstream sees
	}{
		{"cookie", "GET", []string{"Cookie", "a=b; tok=good; c=d"}, 200, "a=b; c=d"},
		{"only cookie", "GET", []string{"Cookie", "tok=good"}, 200, ""},
		{"two", "GET", []string{"Cookie", "tok=good; tok=bad"}, 401, ""},
		{"bad", "GET", []string{"Cookie", "tok=bad"}, 401, ""},
		{"header wins", "GET", []string{"Cookie", "tok=bad", "Authorization", "Bearer good"}, 200, "tok=bad"},
		{"a bad header is not made good", "GET", []string{"Cookie", "tok=good", "Authorization", "Bearer bad"}, 401, ""},
		{"post from the same site", "POST", []string{"Cookie", "tok=good", "Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"}, 200, ""},
		{"post from a program", "POST", []string{"Cookie", "tok=good"}, 200, ""},
		{"post from a registered origin", "POST", []string{"Cookie", "tok=good", "Sec-Fetch-Site", "cross-site", "Origin", spaOrigin}, 200, ""},
		{"forged post", "POST", []string{"Cookie", "tok=good", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 401, ""},
		{"forged post without an origin", "POST", []string{"Cookie", "tok=good", "Sec-Fetch-Site", "cross-site"}, 401, ""},
		{"forged post of an old browser", "POST", []string{"Cookie", "tok=good", "Origin", "https://evil.example"}, 401, ""},
		{"forged post from null", "POST", []string{"Cookie", "tok=good", "Origin", "null"}, 401, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, seen := guarded(t, g, request(t, tc.method, "/", tc.headers...), nil)
			if res.StatusCode != tc.status {
				t.Fatalf("%d, want %d", res.StatusCode, tc.status)
			}
			if seen != nil && seen.Header.Get("Cookie") != tc.cookies {
				t.Errorf("the upstream sees the cookies %q, want %q", seen.Header.Get("Cookie"), tc.cookies)
			}
		})
	}
}

func TestHardeningHDR25(t *testing.T) {
	cookies := []string{"Cookie", "a=b; __Host-gatehouse_session=secret; gatehouse_browser=x", "Cookie", "gatehouse_session=secret"}
	for _, strip := range []bool{true, false} {
		g := newTestGuard(t, nil, func(c *GuardConfig) { c.StripToken = strip })
		r := request(t, http.MethodGet, "/?a=b&q=access_token", append(cookies, "Authorization", "Bearer good")...)
		_, seen := guarded(t, g, r, nil)
		if got := seen.Header.Get("Authorization"); (got == "") != strip {
			t.Errorf("strip %t: the upstream sees Authorization %q", strip, got)
		}
		if got := seen.Header["Cookie"]; !slices.Equal(got, []string{"a=b"}) {
			t.Errorf("the upstream sees our cookies: %q", got)
		}
		if seen.URL.RawQuery != "a=b&q=access_token" {
			t.Errorf("the upstream sees the query %q", seen.URL.RawQuery)
		}
	}
	if got := dropQuery("access_token=x&a=%20b&access%5Ftoken=y&", "access_token"); got != "a=%20b&" {
		t.Errorf("dropQuery left %q", got)
	}
}

func TestResourceMetadata(t *testing.T) {
	for _, tc := range []struct {
		name     string
		change   func(*GuardConfig)
		path     string
		resource string
		url      string
	}{
		{"origin", func(*GuardConfig) {}, "/.well-known/oauth-protected-resource", testAPI, "https://api.example.com/.well-known/oauth-protected-resource"},
		{
			"path", func(c *GuardConfig) { c.Audience = []string{"https://api.example.com/v1/"} },
			"/.well-known/oauth-protected-resource/v1", "https://api.example.com/v1/", "https://api.example.com/.well-known/oauth-protected-resource/v1",
		},
		{
			"no URL", func(c *GuardConfig) { c.Audience = []string{"urn:orders"} },
			"/.well-known/oauth-protected-resource", "urn:orders", "http://example.com/.well-known/oauth-protected-resource",
		},
		{
			"elsewhere", func(c *GuardConfig) { c.MetadataURL = "https://meta.example.com/x" },
			"/.well-known/oauth-protected-resource", testAPI, "https://meta.example.com/x",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newTestGuard(t, nil, tc.change, func(c *GuardConfig) { c.Scopes = []string{"orders:read"} })
			res, seen := guarded(t, g, request(t, http.MethodGet, tc.path, "Origin", "https://any.example"), nil)
			doc := jsonOf(t, res)
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
			if res, _ = guarded(t, g, request(t, http.MethodGet, tc.path+"/x"), nil); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("a path below: %d", res.StatusCode)
			}
		})
	}
}

func TestNewGuardErrors(t *testing.T) {
	good := GuardConfig{Issuer: checker{}, Audience: []string{"a"}, IssuerURL: testIssuer}
	for name, change := range map[string]func(*GuardConfig){
		"no audience":         func(c *GuardConfig) { c.Audience = nil },
		"no issuer":           func(c *GuardConfig) { c.Issuer = nil },
		"CORS, no origins":    func(c *GuardConfig) { c.CORS = true },
		"header is no name":   mapping("X Y", "sub"),
		"no claim":            mapping("X-Y", ""),
		"header twice":        mapping("X-Y", "sub", "x_y", "email"),
		"header is a smuggle": mapping("X-Y\r\nZ", "sub"),
	} {
		cfg := good
		change(&cfg)
		if _, err := NewGuard(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The path of a repeated valid token must not allocate more than the guard must.
func TestGuardAllocations(t *testing.T) {
	g := newTestGuard(t, nil, mapping("X-User-Id", "sub"), func(c *GuardConfig) { c.Scopes = []string{"orders:read"}; c.CORS = false })
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
	g := newTestGuard(b, nil, mapping("X-User-Id", "sub"), func(c *GuardConfig) { c.Scopes = []string{"orders:read"} })
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
