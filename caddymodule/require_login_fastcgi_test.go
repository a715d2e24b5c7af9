package caddymodule

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// fastCGI is an application that is spoken to as PHP is. It answers with nothing, and remembers
// what it was told of the last request: headers by the names that they have in HTTP_…, and
// REMOTE_USER, which Caddy sets.
type fastCGI struct {
	address string
	mu      sync.Mutex
	last    http.Header
	user    string
}

func startFastCGI(t *testing.T) *fastCGI {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	app := &fastCGI{address: listener.Addr().String()}
	go func() {
		_ = fcgi.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			app.mu.Lock()
			defer app.mu.Unlock()
			app.last, app.user = r.Header.Clone(), fcgi.ProcessEnv(r)["REMOTE_USER"]
			_, _ = fmt.Fprint(w, "PHP")
		}))
	}()
	return app
}

func (a *fastCGI) told() (http.Header, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.last), a.user
}

// TestHDR05H1H2FastCGI: rows H1, H2 and HDR-05 of a FastCGI upstream, to which `-`, `_` and what
// stands for them are one: nobody tells PHP who they are, on a guarded path or on a public one.
func TestHDR05H1H2FastCGI(t *testing.T) {
	app := startFastCGI(t)
	g := startSite(t, "require_login {\norigin ORIGIN\nheaders remote\nheader X-User-Id sub\nlogins local\npublic /open.php\n}\n"+
		"reverse_proxy "+app.address+" {\ntransport fastcgi {\nroot /srv\nsplit .php\n}\n}")
	b := g.browser()
	if resp, body := b.signIn(g.API + "/index.php"); resp.StatusCode != http.StatusOK || body != "PHP" {
		t.Fatalf("signed in: %d %s", resp.StatusCode, body)
	}
	site, err := url.Parse(g.API)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for _, c := range b.client.Jar.Cookies(site) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	for _, path := range []string{"/index.php", "/open.php"} {
		for _, name := range []string{
			"Remote-User", "remote_user", "Remote_User", "REMOTE.USER", "Remote~User", "Remote!User", "Remote^User", "Remote*User", "X-User-Id", "X_User-Id", "x_user_id", "X~User.Id",
			"X-Forwarded-User", "X_WEBAUTH_USER", "Remote_Groups", "X-Auth-Request-Email",
		} {
			request := "GET " + path + " HTTP/1.1\nHost: " + site.Host + "\n" + name + ": root\nX-Kept: kept\nCookie: " + strings.Join(append(cookies, "theme=dark"), "; ") +
				"\nConnection: close, Remote-User, X-User-Id\n\n"
			if resp, body := g.raw(g.API, request); resp.StatusCode != http.StatusOK {
				t.Fatalf("%s with %s: %d %s", path, name, resp.StatusCode, body)
			}
			told, user := app.told()
			for header, values := range told {
				if text := strings.Join(values, " "); strings.Contains(text, "root") {
					t.Errorf("%s with %s: PHP is told %s %q", path, name, header, text)
				}
			}
			want := map[string]string{"Remote-User": "alice", "X-User-Id": "local|alice", "Remote-Email": "alice@example.com"}
			if path == "/open.php" {
				want = map[string]string{"Remote-User": "", "X-User-Id": "", "Remote-Email": ""}
			}
			for header, value := range want {
				if got := told.Get(header); got != value {
					t.Errorf("%s with %s: %s is %q, want %q", path, name, header, got, value)
				}
			}
			if user != want["X-User-Id"] {
				t.Errorf("%s with %s: REMOTE_USER is %q", path, name, user)
			}
			if told.Get("X-Kept") != "kept" || told.Get("Cookie") != "theme=dark" {
				t.Errorf("%s with %s: PHP is told %v", path, name, told)
			}
		}
	}
}

// TestHDR05Trailers: what a client sends behind its body says nothing of who it is, either.
func TestHDR05Trailers(t *testing.T) {
	g := startSite(t, "require_login {\norigin ORIGIN\nheader X-User-Id sub\npublic /open\n}\nreverse_proxy UPSTREAM")
	for _, announced := range []string{"Trailer: X-User-Id, X_User_Id, Remote-User, X-Kept\n", ""} {
		host := strings.TrimPrefix(g.API, "http://")
		request := "POST /open HTTP/1.1\nHost: " + host + "\nTransfer-Encoding: chunked\n" + announced + "Connection: close\n\n2\nok\n0\nX-User-Id: local|root\nX_User_Id: local|root\nRemote-User: root\nX-Kept: kept\n\n"
		if resp, body := g.raw(g.API, request); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		for _, r := range g.upstream.take() {
			for name, values := range r.Trailer {
				if strings.Contains(strings.Join(values, " "), "root") {
					t.Errorf("the upstream hears %s %q", name, values)
				}
			}
		}
	}
}
