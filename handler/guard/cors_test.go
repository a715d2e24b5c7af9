package guard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestHardeningHDR18(t *testing.T) {
	g := newTestGuard(t, nil)
	ask := []string{"Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "authorization,x-custom"}
	res, seen := guarded(t, g, request(t, http.MethodOptions, "/", append(ask, "Origin", appOrigin)...), nil)
	h := res.Header
	if res.StatusCode != 204 || seen != nil || h.Get("Access-Control-Allow-Origin") != appOrigin || h.Get("Access-Control-Allow-Methods") != "PATCH" ||
		h.Get("Access-Control-Allow-Headers") != "authorization,x-custom" || h.Get("Vary") != "Origin" {
		t.Errorf("%d %v", res.StatusCode, h)
	}
	res, seen = guarded(t, g, request(t, http.MethodOptions, "/", append(ask, "Origin", "https://evil.example")...), nil)
	if seen != nil || res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("for a stranger: %d %v", res.StatusCode, res.Header)
	}
}

// HDR-18 where CORS is the upstream's: a preflight as browsers send it passes
// without a token, cleaned; what only looks like one does not.
func TestHardeningHDR18CORSOff(t *testing.T) {
	g := newTestGuard(t, nil, mapping("X-User-Id", "sub"), func(c *Config) { c.CORS, c.Cookie = false, "tok" })
	ask := func(more ...string) []string {
		return append([]string{"Origin", "https://any.example", "Access-Control-Request-Method", "GET"}, more...)
	}
	for _, tc := range []struct {
		name, method, body string
		headers            []string
		passes             bool
	}{
		{"preflight", http.MethodOptions, "", ask(), true},
		{"with headers asked for", http.MethodOptions, "", ask("Access-Control-Request-Headers", "authorization"), true},
		{"of a sandboxed page", http.MethodOptions, "", []string{"Origin", "null", "Access-Control-Request-Method", "GET"}, true},
		{"what is cleaned", http.MethodOptions, "", ask("X-User-Id", "admin", "X_User_Id", "admin", "Cookie", "a=b; gatehouse_session=x"), true},
		{"OPTIONS", http.MethodOptions, "", nil, false},
		{"no method asked for", http.MethodOptions, "", []string{"Origin", "https://any.example"}, false},
		{"no origin", http.MethodOptions, "", []string{"Access-Control-Request-Method", "GET"}, false},
		{"two origins", http.MethodOptions, "", ask("Origin", appOrigin), false},
		{"two methods asked for", http.MethodOptions, "", ask("Access-Control-Request-Method", "PUT"), false},
		{"GET", http.MethodGet, "", ask(), false},
		{"POST", http.MethodPost, "", ask("X-Http-Method-Override", "OPTIONS"), false},
		{"a method override", http.MethodOptions, "", ask("X-Http-Method-Override", "DELETE"), false},
		{"a body", http.MethodOptions, "a=b", ask(), false},
		{"an upgrade", http.MethodOptions, "", ask("Connection", "Upgrade", "Upgrade", "h2c"), false},
		{"a bad token", http.MethodOptions, "", ask("Authorization", "Bearer bad"), false},
		{"a token in a cookie", http.MethodOptions, "", ask("Cookie", "tok=bad"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), tc.method, "/", strings.NewReader(tc.body))
			for i := 0; i < len(tc.headers); i += 2 {
				r.Header[tc.headers[i]] = append(r.Header[tc.headers[i]], tc.headers[i+1])
			}
			res, seen := guarded(t, g, r, nil)
			if (seen != nil) != tc.passes || !tc.passes && res.StatusCode != 401 || res.Header.Get("Access-Control-Allow-Origin") != "" || strings.Contains(res.Header.Get("Vary"), "Origin") {
				t.Fatalf("%d %v, reached the upstream: %t", res.StatusCode, res.Header, seen != nil)
			}
			if seen == nil {
				return
			}
			for name, values := range seen.Header {
				if strings.HasPrefix(name, "X") || strings.Contains(values[0], "gatehouse") {
					t.Errorf("the upstream sees %s: %q", name, values)
				}
			}
		})
	}
}

// WEB-07: a page of another origin can read why its call was refused.
func TestHardeningWEB07(t *testing.T) {
	g := newTestGuard(t, nil)
	for _, auth := range []string{"", "Bearer x", "Bearer store-down", "Bearer a,b"} {
		r := request(t, http.MethodGet, "/", "Origin", appOrigin)
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		res, _ := guarded(t, g, r, nil)
		if res.Header.Get("Access-Control-Allow-Origin") != appOrigin || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
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
		"copied": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			if _, err := io.Copy(w, strings.NewReader("x")); err != nil {
				t.Error(err)
			}
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
			res, _ := guarded(t, g, request(t, http.MethodGet, "/", "Origin", appOrigin, "Authorization", "Bearer good"), upstream)
			if got := res.Header.Values("Access-Control-Allow-Origin"); !slices.Equal(got, []string{appOrigin}) {
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

// M-31: what an upstream says of credentials counts for the origin that it was said to. Beside ours
// every page could read what the cookies of its visitors open, where a token is optional.
func TestM31UpstreamCredentials(t *testing.T) {
	const foreign, own = "https://evil.example", "http://example.com"
	upstream := func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		h.Add("Access-Control-Allow-Credentials", "true")
		w.WriteHeader(http.StatusOK)
	}
	mcp := func(c *Config) { c.Audience, c.MCP = []string{mcpServer}, true }
	cookie := func(c *Config) { c.Cookie = "tok" }
	for _, tc := range []struct {
		name, origin         string
		change               func(*Config)
		wantOrigin, wantCred string
	}{
		{"mcp, any page", foreign, mcp, foreign, ""},
		{"mcp, a sandboxed page", "null", mcp, "null", ""},
		{"mcp, a registered origin", appOrigin, mcp, appOrigin, ""},
		{"a registered origin", appOrigin, func(*Config) {}, appOrigin, ""},
		{"another one, of which the upstream judges", own, func(*Config) {}, own, "true"},
		{"cookie, a registered origin", appOrigin, cookie, appOrigin, "true"},
		{"cookie, another one", foreign, cookie, foreign, ""},
		{"cors off", foreign, func(c *Config) { c.CORS = false }, foreign, "true"},
	} {
		for token, want := range map[string]string{"": tc.wantCred, "Bearer good": tc.wantCred, "Bearer bad": ""} {
			if token == "Bearer good" && strings.HasPrefix(tc.name, "mcp") {
				continue // of another audience
			}
			g := newTestGuard(t, nil, func(c *Config) { c.Optional = true }, tc.change)
			r := request(t, http.MethodGet, "/", "Origin", tc.origin)
			if token != "" {
				r.Header.Set("Authorization", token)
			}
			res, seen := guarded(t, g, r, upstream)
			if seen == nil && tc.name == "cookie, a registered origin" {
				want = "true" // the refusal is ours, and it may be read
			}
			h := res.Header
			if got := h.Values("Access-Control-Allow-Credentials"); strings.Join(got, ",") != want || seen != nil && !slices.Equal(h.Values("Access-Control-Allow-Origin"), []string{tc.wantOrigin}) {
				t.Errorf("%s, %q: %d %v", tc.name, token, res.StatusCode, h)
			}
			if tc.name != "cors off" && !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
				t.Errorf("%s, %q: Vary %q", tc.name, token, h.Values("Vary"))
			}
		}
	}
}
