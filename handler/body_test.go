package handler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// shortBody is how long a body may take in these tests.
const shortBody = 300 * time.Millisecond

// serveReal serves a gateway over a real connection, which is what bodies come slowly on.
func serveReal(t *testing.T, http2 bool, change ...func(*tokens.Config, *Config)) (*gateway, *httptest.Server) {
	t.Helper()
	g := newGateway(t, append(change, func(_ *tokens.Config, c *Config) { c.BodyTime = shortBody })...)
	server := httptest.NewUnstartedServer(g.Server)
	if http2 {
		server.EnableHTTP2 = true
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return g, server
}

// drip is a body of one byte every now and then, without an end.
type drip struct{ stop chan struct{} }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-d.stop:
		return 0, io.ErrUnexpectedEOF
	case <-time.After(shortBody / 10):
		return copy(p, "a"), nil
	}
}

// R9, R-55: a body of one byte at a time was read for as long as it went on, at
// each endpoint, and one that nobody reads by the server before it answers.
func TestR9SlowBodies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		http2 bool
	}{{"HTTP/1.1", false}, {"HTTP/2", true}} {
		t.Run(tt.name, func(t *testing.T) {
			g, server := serveReal(t, tt.http2, withLogins(true, &scripted{name: "company"}), registering)
			for _, e := range endpoints() {
				if e.perLogin {
					e.path += "/company"
				}
				for _, method := range []string{http.MethodPost, http.MethodGet} {
					body := drip{make(chan struct{})}
					r, err := http.NewRequestWithContext(t.Context(), method, server.URL+e.path, body)
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Content-Type", formType)
					r.Host = g.issuerHost
					began := time.Now()
					res, err := server.Client().Do(r)
					close(body.stop)
					if err != nil {
						t.Fatalf("%s %s: no answer: %v", method, e.path, err)
					}
					text, _ := io.ReadAll(res.Body)
					_ = res.Body.Close()
					if took := time.Since(began); took > 20*shortBody {
						t.Errorf("%s %s took %s", method, e.path, took)
					}
					reads := method == http.MethodPost && slices.Contains(e.methods, method) && e.name != "account" && e.name != "app_keys" // which ask who it is first
					if reads && res.StatusCode != http.StatusRequestTimeout {
						t.Errorf("%s %s: %d %s", method, e.path, res.StatusCode, text)
					}
					if kind := res.Header.Get("Content-Type"); reads && (e.cors == corsCookie || e.cors == corsCredentials) && (!strings.HasPrefix(kind, "text/plain") || res.Header.Get("Retry-After") == "") {
						t.Errorf("%s: an SDK takes this for the end of its token: %s %v", e.path, kind, res.Header)
					}
				}
			}
			if g.heard.has(oauth.EventStoreTrouble, "introspect") {
				t.Error("a slow body is told as trouble of the store")
			}
		})
	}
}

// R9: a connection that has stood still is cut too, and says so first.
func TestR9StalledBody(t *testing.T) {
	_, server := serveReal(t, false)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\ngrant", formType)
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, err := io.ReadAll(conn) // until it is closed
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !bytes.Contains(answer, []byte("Connection: close")) {
		t.Errorf("%v %q", err, answer)
	}
}

// R9: the operator's own limit counts where it is shorter, and a writer that
// knows no deadlines gets the clock between two bytes.
func TestR9OtherClocks(t *testing.T) {
	g := newGateway(t, func(_ *tokens.Config, c *Config) { c.BodyTime = shortBody })
	slow := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/oauth/token", drip{})
	slow.Header.Set("Content-Type", formType)
	w := httptest.NewRecorder()
	if g.ServeHTTP(w, slow); w.Code != http.StatusRequestTimeout {
		t.Errorf("a writer without deadlines: %d", w.Code)
	}
	server := httptest.NewUnstartedServer(newGateway(t).Server)
	server.Config.ReadTimeout = shortBody
	server.Start()
	defer server.Close()
	body := drip{make(chan struct{})}
	defer close(body.stop)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/oauth/token", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", formType)
	began := time.Now()
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if took := time.Since(began); res.StatusCode != http.StatusRequestTimeout || took > wire.BodyTime/2 {
		t.Errorf("%d after %s", res.StatusCode, took)
	}
}

// R9: the deadline is the body's alone. Neither what the server does after it
// nor the next request on the same connection is cut.
func TestR9DeadlineEndsWithBody(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		slow := func(core *tokens.Config, _ *Config) {
			core.CompareHash = func(_, _ []byte) (bool, error) { time.Sleep(2 * shortBody); return true, nil }
			for _, c := range core.Clients {
				if c.ID == "machine" {
					c.SecretHashes = []string{"$2a$04$" + strings.Repeat("a", 53)}
				}
			}
		}
		_, server := serveReal(t, http2, slow)
		form := url.Values{"grant_type": {"client_credentials"}, "audience": {testAPI}, "client_id": {"machine"}, "client_secret": {"x"}}.Encode()
		var addresses []string // of our end: one connection has one
		for i := range 3 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/oauth/token", strings.NewReader(form))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", formType)
			r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
				GotConn: func(c httptrace.GotConnInfo) { addresses = append(addresses, c.Conn.LocalAddr().String()) },
			}))
			res, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			err = json.NewDecoder(res.Body).Decode(&got)
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || got["access_token"] == nil {
				t.Errorf("request %d: %d %v %v", i, res.StatusCode, got, err)
			}
			time.Sleep(2 * shortBody)
		}
		if len(slices.Compact(addresses)) != 1 {
			t.Errorf("several connections: %v", addresses)
		}
	}
}
