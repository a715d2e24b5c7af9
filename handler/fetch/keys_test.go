package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// keyServer is another issuer's server on loopback.
type keyServer struct {
	*httptest.Server
	mux  *http.ServeMux
	hits atomic.Int32
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{mux: http.NewServeMux()}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) say(path, body string, headers ...string) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		_, _ = w.Write([]byte(body))
	})
}

func fetchKeys(t *testing.T, source KeySource) (string, time.Duration, error) {
	t.Helper()
	document, maxAge, err := NewKeyFetcher(source, nil).Fetch(t.Context())
	return string(document), maxAge, err
}

func TestKeyFetcherCacheHeaders(t *testing.T) {
	s := newKeyServer(t)
	for i, tt := range []struct {
		headers []string
		want    time.Duration
	}{
		{nil, -1},
		{[]string{"Cache-Control", "public, max-age=15, stale-while-revalidate=15"}, 15 * time.Second},                          // Auth0
		{[]string{"Cache-Control", "public, max-age=20000, must-revalidate, no-transform", "Age", "1000"}, 19000 * time.Second}, // Google
		{[]string{"Cache-Control", "max-age=10", "Age", "20"}, 0},
		{[]string{"Cache-Control", "no-cache"}, 0}, // Keycloak
		{[]string{"Cache-Control", "max-age=600, No-Store"}, 0},
		{[]string{"Cache-Control", `Max-Age="60"`}, time.Minute},
		{[]string{"Cache-Control", "private", "Cache-Control", "max-age=60"}, time.Minute},
		{[]string{"Cache-Control", "max-age=-5"}, -1},
		{[]string{"Expires", "Thu, 01 Jan 2026 00:10:00 GMT", "Date", "Thu, 01 Jan 2026 00:00:00 GMT"}, 10 * time.Minute},
		{[]string{"Expires", "Thu, 01 Jan 2026 00:10:00 GMT", "Date", "Thu, 01 Jan 2026 00:00:00 GMT", "Age", "60"}, 9 * time.Minute},
		{[]string{"Expires", "Thu, 01 Jan 2026 00:10:00 GMT", "Date", "Thu, 01 Jan 2026 00:20:00 GMT"}, 0},
		{[]string{"Expires", "Thu, 01 Jan 2026 00:10:00 GMT"}, 0}, // long ago
		{[]string{"Expires", "0"}, 0},
		{[]string{"Expires", "-1", "Cache-Control", "max-age=60"}, time.Minute},
		{[]string{"Expires", "Thu, 01 Jan 2026 00:10:00 GMT", "Date", "Thu, 01 Jan 2026 00:00:00 GMT", "Cache-Control", "no-store"}, 0},
		{[]string{"Expires", "Thu, 01 Jan 2026 00:10:00 GMT", "Date", "Thu, 01 Jan 2026 00:00:00 GMT", "Cache-Control", "public"}, 10 * time.Minute},
		{[]string{"Cache-Control", "max-age=99999999999999999999"}, -1},
		{[]string{"Expires", "Thu, 01 Jan 1970 00:00:00 GMT"}, 0},
	} {
		path := fmt.Sprint("/", i)
		s.say(path, "{}", tt.headers...)
		document, maxAge, err := fetchKeys(t, KeySource{JWKSURI: s.URL + path, AllowPrivate: true})
		if err != nil || document != "{}" || maxAge != tt.want {
			t.Errorf("%q: %s %s %v, want %s", tt.headers, document, maxAge, err, tt.want)
		}
	}
}

func TestKeyFetcherDiscovers(t *testing.T) {
	metadata := func(issuer, jwks string) string { return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, jwks) }
	for _, tt := range []struct {
		name, issuer, place string
		document            func(issuer, keys string) string
		want                string // of the error
	}{
		{"OpenID Connect", "/", "/.well-known/openid-configuration", metadata, ""},
		{"OpenID Connect behind a path", "/realms/a", "/realms/a/.well-known/openid-configuration", metadata, ""},
		{"OpenID Connect behind a path with a slash", "/tenant/v2.0/", "/tenant/v2.0/.well-known/openid-configuration", metadata, ""},
		{"KEY-16 RFC 8414", "/tenant/a", "/.well-known/oauth-authorization-server/tenant/a", metadata, ""},
		{"RFC 8414 without a path", "", "/.well-known/oauth-authorization-server", metadata, ""},
		{"of another issuer", "/", "/.well-known/openid-configuration", func(issuer, keys string) string { return metadata(issuer+"x", keys) }, "the document names the issuer"},
		{"of an issuer without the slash", "/", "/.well-known/openid-configuration", func(issuer, keys string) string { return metadata(strings.TrimSuffix(issuer, "/"), keys) }, "the document names the issuer"},
		{"no document", "/", "/nowhere", metadata, "404"},
		{"not JSON", "/", "/.well-known/openid-configuration", func(_, _ string) string { return "<html>" }, "not JSON"},
		{"no keys", "/", "/.well-known/openid-configuration", func(issuer, _ string) string { return metadata(issuer, "") }, "is not an https URL"},
		{"keys in a file", "/", "/.well-known/openid-configuration", func(issuer, _ string) string { return metadata(issuer, "file:///etc/passwd") }, "is not an https URL"},
		{"G6: keys not encrypted, far away", "/", "/.well-known/openid-configuration", func(issuer, _ string) string { return metadata(issuer, "http://1.1.1.1/") }, "the address is public"},
		{"G12: a byte order mark", "/", "/.well-known/openid-configuration", func(issuer, keys string) string { return "\xef\xbb\xbf" + metadata(issuer, keys) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newKeyServer(t)
			issuer := s.URL + tt.issuer
			s.say(tt.place, tt.document(issuer, s.URL+"/keys"))
			s.say("/keys", `{"keys":[]}`)
			f := NewKeyFetcher(KeySource{Issuer: issuer, AllowPrivate: true}, nil)
			document, _, err := f.Fetch(t.Context())
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q in it", err, tt.want)
				}
				return
			}
			if err != nil || string(document) != `{"keys":[]}` {
				t.Fatalf("%s, %v", document, err)
			}
			before := s.hits.Load()
			if _, _, err := f.Fetch(t.Context()); err != nil || s.hits.Load() != before+1 {
				t.Errorf("the second fetch took %d requests: %v", s.hits.Load()-before, err)
			}
		})
	}
}

// The issuer moves its keys: the next fetch after one that failed asks where they are.
func TestKeyFetcherDiscoversAgain(t *testing.T) {
	s := newKeyServer(t)
	var at atomic.Value
	at.Store("/one")
	s.mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.URL+"/", s.URL+at.Load().(string))
	})
	s.say("/two", "2")
	f := NewKeyFetcher(KeySource{Issuer: s.URL + "/", AllowPrivate: true}, nil)
	if _, _, err := f.Fetch(t.Context()); err == nil {
		t.Fatal("there is nothing at /one")
	}
	at.Store("/two")
	if document, _, err := f.Fetch(t.Context()); err != nil || string(document) != "2" {
		t.Errorf("%s, %v", document, err)
	}
}

// KEY-04: large, slow, packed and misleading answers.
func TestHardeningKEY04(t *testing.T) {
	s := newKeyServer(t)
	canary := newKeyServer(t)
	s.say("/large", strings.Repeat("x", 50<<20))
	var bomb bytes.Buffer
	packer := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = packer.Write(make([]byte, 1<<20))
	}
	_ = packer.Close()
	s.say("/bomb", bomb.String(), "Content-Encoding", "gzip")
	s.mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for path, to := range map[string]string{
		"/other": canary.URL + "/", "/metadata": "http://169.254.169.254/latest/", "/file": "file:///etc/passwd",
		"/userinfo": s.URL + "@evil.example/", "/loop": "/loop",
	} {
		s.mux.Handle(path, http.RedirectHandler(to, http.StatusFound))
	}
	s.mux.Handle("/moved", http.RedirectHandler("/keys", http.StatusMovedPermanently))
	s.say("/keys", "{}")
	s.mux.HandleFunc("/error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	s.mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("{}"))
	})
	for _, tt := range []struct{ path, want string }{
		{"/large", "larger than 1 MiB"},
		{"/bomb", "larger than 1 MiB"},
		{"/slow", ""}, // its time is up
		{"/other", "another host"},
		{"/metadata", "another host"},
		{"/file", "another host"},
		{"/userinfo", "another host"},
		{"/loop", "too many"},
		{"/error", "500"},
		{"/cut", "EOF"},
		{"/moved", ""},
	} {
		t.Run(tt.path, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if tt.path != "/slow" {
				ctx = t.Context()
			}
			_, _, err := NewKeyFetcher(KeySource{JWKSURI: s.URL + tt.path, AllowPrivate: true}, nil).Fetch(ctx)
			if tt.path == "/slow" {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v, want that the time is up", err)
				}
				return
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
	if n := canary.hits.Load(); n != 0 {
		t.Errorf("%d requests reached the other host", n)
	}
}

// KEY-05: a public name that leads to a private address.
func TestHardeningKEY05(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "0.0.0.0", "[fe80::1]", "[fd00::1]"} {
		_, _, err := fetchKeys(t, KeySource{JWKSURI: "https://" + host + ":" + port + "/"})
		if !errors.Is(err, errPrivateAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, _, err := fetchKeys(t, KeySource{JWKSURI: s.URL, AllowPrivate: true}); err == nil || errors.Is(err, errPrivateAddress) {
		t.Errorf("allowed, but for its certificate: %v", err)
	}
	if _, _, err := fetchKeys(t, KeySource{JWKSURI: "http://localhost:" + port}); err == nil || !strings.Contains(err.Error(), "is not an https URL") {
		t.Errorf("not encrypted: %v", err)
	}
}

func TestPublicAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "172.32.0.1": true, "2606:4700::1111": true, "::ffff:1.1.1.1": true, "64:ff9b::101:101": true, "2001:4860:4860::8888": true,
		"127.0.0.1": false, "127.255.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false, "198.18.0.1": false, "192.0.0.8": false,
		"192.0.2.1": false, "203.0.113.1": false, "224.0.0.1": false, "239.1.1.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:10.0.0.1": false, "::ffff:127.0.0.1": false, "::10.0.0.1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "fec0::1": false,
		"ff02::1": false, "2002:7f00:1::": false, "2001:db8::1": false, "2001:0:1::1": false, "64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false, "100::1": false,
	} {
		if got := publicAddress(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %t, want %t", address, got, want)
		}
	}
}
