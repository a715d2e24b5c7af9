package guard

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// G9: a page of an allowed origin can send the cookie and read the answer, and no other page can.
func TestG9CookiesOfAllowedOrigins(t *testing.T) {
	const allow = "Access-Control-Allow-Credentials"
	for _, tt := range []struct {
		name, method, origin string
		change               func(*Config)
		headers              []string
		upstream             string // what it says of credentials
		status               int
		want                 string // of the answer
	}{
		{"preflight", "OPTIONS", appOrigin, nil, []string{"Access-Control-Request-Method", "POST"}, "", 204, "true"},
		{"preflight of a stranger", "OPTIONS", "https://evil.example", nil, []string{"Access-Control-Request-Method", "POST"}, "", 204, ""},
		{"good", "GET", appOrigin, nil, []string{"Cookie", "tok=good"}, "", 200, "true"},
		{"good, POST", "POST", appOrigin, nil, []string{"Cookie", "tok=good"}, "", 200, "true"},
		{"refused", "GET", appOrigin, nil, []string{"Cookie", "tok=bad"}, "", 401, "true"},
		{"no cookie", "GET", appOrigin, nil, nil, "", 401, "true"},
		{"upstream says so to everybody", "GET", "https://evil.example", nil, []string{"Cookie", "tok=good"}, "true", 200, ""},
		{"upstream says so, opaque origin", "GET", "null", nil, []string{"Cookie", "tok=good"}, "true", 200, ""},
		{"forged", "POST", "https://evil.example", nil, []string{"Cookie", "tok=good"}, "true", 401, ""},
		{"no cookie is configured", "GET", appOrigin, func(c *Config) { c.Cookie = "" }, []string{"Authorization", "Bearer good"}, "", 200, ""},
		{"CORS is the upstream's", "GET", appOrigin, func(c *Config) { c.CORS = false }, []string{"Cookie", "tok=good"}, "true", 200, "true"},
		{"CORS is the upstream's, which says nothing", "GET", appOrigin, func(c *Config) { c.CORS = false }, []string{"Cookie", "tok=good"}, "", 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := func(c *Config) {
				c.Cookie = "tok"
				if tt.change != nil {
					tt.change(c)
				}
			}
			g := newTestGuard(t, nil, change)
			res, _ := guarded(t, g, request(t, tt.method, "/", append(tt.headers, "Origin", tt.origin)...), func(w http.ResponseWriter, _ *http.Request) {
				if tt.upstream != "" {
					w.Header().Set("Access-Control-Allow-Origin", tt.origin)
					w.Header().Set(allow, tt.upstream)
				}
				w.Header().Set("Access-Control-Expose-Headers", "*")
				w.WriteHeader(http.StatusOK)
			})
			if res.StatusCode != tt.status || res.Header.Get(allow) != tt.want {
				t.Fatalf("%d %v, want %d and credentials %q", res.StatusCode, res.Header, tt.status, tt.want)
			}
			if tt.want != "" && res.Header.Get("Access-Control-Allow-Origin") != tt.origin {
				t.Errorf("origin %q", res.Header.Get("Access-Control-Allow-Origin"))
			}
			if g.cfg.CORS && tt.want != "" && !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
				t.Errorf("exposed %q", res.Header.Get("Access-Control-Expose-Headers"))
			}
		})
	}
}

// G9: an answer that a cookie has opened is for nobody else.
func TestG9CookieAnswersStayPrivate(t *testing.T) {
	g := newTestGuard(t, nil, func(c *Config) { c.Cookie = "tok" })
	for _, tt := range []struct {
		name     string
		upstream []string // headers
		want     string   // Cache-Control
		vary     string
	}{
		{"nothing", nil, "private", "Origin, Cookie"},
		{"public", []string{"Cache-Control", "public, max-age=600"}, "private, max-age=600", "Origin, Cookie"},
		{"for shared caches", []string{"Cache-Control", "max-age=5, S-MaxAge=600, must-revalidate"}, "private, max-age=5, must-revalidate", "Origin, Cookie"},
		{"max-age alone", []string{"Cache-Control", "max-age=600"}, "private, max-age=600", "Origin, Cookie"},
		{"on two lines", []string{"Cache-Control", "public", "Cache-Control", "max-age=1"}, "private, max-age=1", "Origin, Cookie"},
		{"private for some fields", []string{"Cache-Control", `private="set-cookie, x", max-age=1`}, "private, max-age=1", "Origin, Cookie"},
		{"no-cache for some fields", []string{"Cache-Control", `no-cache="a, public", max-age=1`}, `private, no-cache="a, public", max-age=1`, "Origin, Cookie"},
		{"private and public", []string{"Cache-Control", "private, public, max-age=1"}, "private, max-age=1", "Origin, Cookie"},
		{"no-store", []string{"Cache-Control", "no-store"}, "no-store", "Origin, Cookie"},
		{"told to a CDN", []string{"Cdn-Cache-Control", "max-age=9", "Cloudflare-Cdn-Cache-Control", "max-age=9", "Surrogate-Control", "max-age=9", "X-Accel-Expires", "9"}, "private", "Origin, Cookie"},
		{"its own Vary", []string{"Vary", "Accept, cookie"}, "private", "Accept, cookie, Origin"},
		{"varies on all", []string{"Vary", "*"}, "private", "*"},
	} {
		for _, source := range []string{"Cookie", "Authorization"} {
			t.Run(tt.name+", "+source, func(t *testing.T) {
				token := "tok=good"
				if source == "Authorization" {
					token = "Bearer good"
				}
				res, _ := guarded(t, g, request(t, http.MethodGet, "/", source, token, "Origin", appOrigin), func(w http.ResponseWriter, _ *http.Request) {
					h := w.Header()
					for i := 0; i < len(tt.upstream); i += 2 { // as net/http/httputil and static files do: they replace what is there
						h.Del(tt.upstream[i])
					}
					for i := 0; i < len(tt.upstream); i += 2 {
						h.Add(tt.upstream[i], tt.upstream[i+1])
					}
					if _, err := w.Write([]byte("x")); err != nil {
						t.Error(err)
					}
				})
				got := strings.Join(res.Header["Cache-Control"], ", ")
				if source == "Authorization" { // for those RFC 9111 §3.5 holds
					if strings.Contains(got, "private") && !strings.Contains(strings.Join(tt.upstream, ""), "private") {
						t.Errorf("Cache-Control %q", got)
					}
					return
				}
				if got != tt.want || strings.Join(res.Header["Vary"], ", ") != tt.vary {
					t.Errorf("Cache-Control %q, Vary %q, want %q and %q", got, res.Header["Vary"], tt.want, tt.vary)
				}
				for name := range res.Header {
					if name != "Cache-Control" && (strings.HasSuffix(name, "Cache-Control") || name == "Surrogate-Control" || name == "X-Accel-Expires") {
						t.Errorf("%s is left", name)
					}
				}
			})
		}
	}
}

// G9: streams and connections that change hands go through the writer.
func TestG9CookieAnswersStream(t *testing.T) {
	g := newTestGuard(t, nil, func(c *Config) { c.Cookie = "tok" })
	next := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := g.Check(w, r)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		control := http.NewResponseController(res.Writer)
		if r.URL.Path == "/socket" {
			conn, buf, err := control.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			_ = buf.Flush()
			return
		}
		if err := control.Flush(); err != nil {
			t.Error(err)
		}
		<-next
		_, _ = res.Writer.Write([]byte("event"))
	}))
	defer server.Close()
	get := func(path string, headers ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", "tok=good")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	stream := get("/") // answers before the first event
	if !slices.Equal(stream.Header["Cache-Control"], []string{"private"}) || !strings.Contains(strings.Join(stream.Header["Vary"], ","), "Cookie") {
		t.Errorf("stream: %v", stream.Header)
	}
	close(next)
	_ = stream.Body.Close()
	socket := get("/socket", "Connection", "Upgrade", "Upgrade", "x", "Origin", server.URL)
	if socket.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("socket: %d", socket.StatusCode)
	}
	_ = socket.Body.Close()
}
