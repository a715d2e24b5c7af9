package guard

import (
	"net/http"
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
)

func TestHardeningHDR01To07(t *testing.T) {
	g := newTestGuard(t, nil, mapping("X-Auth-Subject", "sub", "X-Auth-Email", "email"), func(c *Config) { c.Optional = true })
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
				if identity.SameHeader(name, "X-Auth-Subject") || identity.SameHeader(name, "X-Auth-Email") {
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
			if seen.Header.Get("X-Auth-Subject2") != "stays" || len(seen.Trailer) != 0 {
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
		{"G4, HDR-19 CRLF", `{"v":"bob\r\nX-Admin: 1"}`, "bob%0D%0AX-Admin: 1", 200},
		{"G4, HDR-19 NUL", `{"v":"bob\u0000"}`, "bob%00", 200},
		{"G4, HDR-19 tab", `{"v":"bob\t"}`, "bob%09", 200},
		{"G4, HDR-19 8 bit", `{"v":"José"}`, "Jos%C3%A9", 200},
		{"G4, 16 bit", `{"v":"李雷"}`, "%E6%9D%8E%E9%9B%B7", 200},
		{"G4, percent sign", `{"v":"100%41"}`, "100%2541", 200},
		{"G4, HDR-23 direction", `{"v":"admin \u202e"}`, "admin %E2%80%AE", 200},
		{"G4, space around", `{"v":" bob b "}`, "%20bob b%20", 200},
		{"G4, one space", `{"v":" "}`, "%20", 200},
		{"G4, names of LDAP in a list", `{"v":["cn=a,dc=b","c"]}`, "cn=a%2Cdc=b,c", 200},
		{"G4, comma in a text", `{"v":"cn=a,dc=b"}`, "cn=a,dc=b", 200},
		{"G4, list of lists", `{"v":[["a","b"],null]}`, `["a"%2C"b"],null`, 200},
		{"G4, object", `{"v":{"a":"<b>","c":["é"]}}`, `{"a":"<b>","c":["%C3%A9"]}`, 200},
		{"G4, a subject is not encoded, but refused", `{"sub":"josé"}`, "", 401},
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

// G4: a subject that HTTP does not carry is refused, unless the operator has it encoded.
func TestSubjectInHeader(t *testing.T) {
	for encoding, want := range map[identity.Encoding]string{"": "", identity.Percent: "jos%C3%A9"} {
		g := newTestGuard(t, checker{"good": claimsOf(t, `{"sub":"josé"}`)}, func(c *Config) {
			c.Headers = []identity.Mapping{{Header: "X-User", Claim: "sub", Encoding: encoding}}
		})
		_, seen := guarded(t, g, request(t, http.MethodGet, "/", "Authorization", "Bearer good"), nil)
		if (seen != nil) != (want != "") || seen != nil && seen.Header.Get("X-User") != want {
			t.Errorf("encoding %q: %v", encoding, seen)
		}
	}
}

// G12: the token in a header that a proxy in front has set, such as Cloudflare Access.
func TestTokenInHeader(t *testing.T) {
	const name = "Cf-Access-Jwt-Assertion"
	for _, tc := range []struct {
		name    string
		headers []string
		status  int
		strip   bool
		seen    []string // by the upstream: of that header and of Authorization
	}{
		{"good", []string{name, "good"}, 200, false, []string{"good", ""}},
		{"stripped", []string{name, "good"}, 200, true, []string{"", ""}},
		{"Authorization is the upstream's", []string{name, "good", "Authorization", "Basic YTpi"}, 200, true, []string{"", "Basic YTpi"}},
		{"it comes first", []string{name, "bad", "Authorization", "Bearer good"}, 401, false, nil},
		{"Authorization alone", []string{"Authorization", "Bearer good"}, 200, false, []string{"", "Bearer good"}},
		{"with a scheme", []string{name, "Bearer good"}, 401, false, nil},
		{"twice", []string{name, "good", name, "good"}, 400, false, nil},
		{"none", nil, 401, false, nil},
		{"empty", []string{name, ""}, 401, false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newTestGuard(t, nil, func(c *Config) { c.TokenHeader, c.StripToken = "cf-access-jwt-assertion", tc.strip })
			res, seen := guarded(t, g, request(t, http.MethodGet, "/", tc.headers...), func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "public, max-age=60")
				w.WriteHeader(http.StatusOK)
			})
			if res.StatusCode != tc.status {
				t.Fatalf("%d, want %d", res.StatusCode, tc.status)
			}
			if !slices.Contains(res.Header["Vary"], name) {
				t.Errorf("Vary %q", res.Header["Vary"])
			}
			if seen == nil {
				return
			}
			if got := []string{seen.Header.Get(name), seen.Header.Get("Authorization")}; !slices.Equal(got, tc.seen) {
				t.Errorf("the upstream sees %q, want %q", got, tc.seen)
			}
			want := "private, max-age=60"
			if tc.name == "Authorization alone" {
				want = "public, max-age=60"
			}
			if got := res.Header.Get("Cache-Control"); got != want {
				t.Errorf("Cache-Control %q, want %q", got, want)
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

func TestTokenInCookie(t *testing.T) {
	g := newTestGuard(t, nil, func(c *Config) { c.Cookie = "tok"; c.StripToken = true })
	for _, tc := range []struct {
		name, method string
		headers      []string
		status       int
		cookies      string // that the upstream sees
	}{
		{"cookie", "GET", []string{"Cookie", "a=b; tok=good; c=d"}, 200, "a=b; c=d"},
		{"only cookie", "GET", []string{"Cookie", "tok=good"}, 200, ""},
		{"two", "GET", []string{"Cookie", "tok=good; tok=bad"}, 400, ""},
		{"bad", "GET", []string{"Cookie", "tok=bad"}, 401, ""},
		{"header wins", "GET", []string{"Cookie", "tok=bad", "Authorization", "Bearer good"}, 200, ""},
		{"a bad header is not made good", "GET", []string{"Cookie", "tok=good", "Authorization", "Bearer bad"}, 401, ""},
		{"post from the same site", "POST", []string{"Cookie", "tok=good", "Sec-Fetch-Site", "same-origin", "Origin", "http://example.com"}, 200, ""},
		{"post from a program", "POST", []string{"Cookie", "tok=good"}, 401, ""},
		{"post from this origin, by Origin alone", "POST", []string{"Cookie", "tok=good", "Origin", "http://example.com"}, 200, ""},
		{"post from this origin, by Sec-Fetch-Site alone", "POST", []string{"Cookie", "tok=good", "Sec-Fetch-Site", "same-origin"}, 200, ""},
		{"post from the same site", "POST", []string{"Cookie", "tok=good", "Sec-Fetch-Site", "same-site"}, 401, ""},
		{"WebSocket of another site", "GET", []string{"Cookie", "tok=good", "Upgrade", "websocket", "Origin", "https://evil.example"}, 401, ""},
		{"WebSocket of a program", "GET", []string{"Cookie", "tok=good", "Upgrade", "websocket"}, 401, ""},
		{"WebSocket of this origin", "GET", []string{"Cookie", "tok=good", "Upgrade", "websocket", "Origin", "http://example.com"}, 200, ""},
		{"post from a registered origin", "POST", []string{"Cookie", "tok=good", "Sec-Fetch-Site", "cross-site", "Origin", appOrigin}, 200, ""},
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

// HDR-25: strip_token keeps the token from the upstream, wherever it came in.
func TestHardeningHDR25(t *testing.T) {
	cookies := []string{"Cookie", "a=b; __Host-gatehouse_session=secret; gatehouse_browser=x", "Cookie", "gatehouse_session=secret"}
	for _, strip := range []bool{true, false} {
		g := newTestGuard(t, nil, func(c *Config) { c.StripToken = strip })
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
	// Whatever was used, and where nothing was.
	g := newTestGuard(t, nil, func(c *Config) { c.StripToken, c.Optional, c.Cookie = true, true, "tok" })
	for name, tc := range map[string]struct {
		target  string
		headers []string
		authorization, cookies,
		query string
	}{
		"header":         {"/?a=b", []string{"Authorization", "Bearer good", "Cookie", "tok=other; a=b"}, "", "a=b", "a=b"},
		"cookie":         {"/", []string{"Cookie", "tok=good; a=b", "Dpop", "x"}, "", "a=b", ""},
		"none":           {"/?%61ccess_token=x&a=b", []string{"Cookie", "tok=; a=b"}, "", "a=b", "a=b"},
		"another scheme": {"/?access_token=x", []string{"Authorization", "Basic eA=="}, "Basic eA==", "", ""},
	} {
		r := request(t, http.MethodGet, tc.target, tc.headers...)
		_, seen := guarded(t, g, r, nil)
		if seen == nil || seen.Header.Get("Authorization") != tc.authorization || seen.Header.Get("Cookie") != tc.cookies || seen.URL.RawQuery != tc.query {
			t.Errorf("%s: the upstream sees %v", name, seen)
		}
	}
	if got := dropQuery("access_token=x&a=%20b&access%5Ftoken=y&", "access_token"); got != "a=%20b&" {
		t.Errorf("dropQuery left %q", got)
	}
}
