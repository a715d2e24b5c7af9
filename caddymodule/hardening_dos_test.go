package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The attacks of group DOS on a whole Caddy: what many, large or endless
// requests cost. Counts and memory only: the time is the machine's.

// DOS-03: Caddy bounds the header block, and the guard a token within it.
func TestHeaderBlock(t *testing.T) {
	g := startGateway(t, gatewayOptions{Servers: "max_header_size 16KiB"})
	good := g.machineToken()
	for _, tt := range []struct {
		name, headers string
		status        int
	}{
		{"usual", "Authorization: Bearer " + good + "\n", http.StatusOK},
		{"beside a cookie of 6 KiB", "Authorization: Bearer " + good + "\nCookie: a=" + strings.Repeat("b", 6<<10) + "\n", http.StatusOK},
		{"token of more than 8 KiB", "Authorization: Bearer " + strings.Repeat("a", 9<<10) + "\n", http.StatusUnauthorized},
		{"JWT-22 dots alone", "Authorization: Bearer " + strings.Repeat(".", 8<<10) + "\n", http.StatusUnauthorized},
		{"more than 16 KiB", "Authorization: Bearer " + strings.Repeat("a", 40<<10) + "\n", http.StatusRequestHeaderFieldsTooLarge},
	} {
		resp, body := g.raw(g.API, "GET /orders HTTP/1.1\nHost: localhost\nConnection: close\n"+tt.headers+"\n")
		seen := g.upstream.take()
		if resp.StatusCode != tt.status || (tt.status == http.StatusOK) != (len(seen) == 1) || len(body) > 200 {
			t.Errorf("%s: status %d, want %d; %d requests at the upstream; a body of %d bytes", tt.name, resp.StatusCode, tt.status, len(seen), len(body))
		}
	}
}

// a hundred endless bodies at once are refused early and held nowhere.
func TestHugeBodiesInParallel(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	const clients, limit = 100, 64 << 10
	var sent atomic.Int64
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			body := io.TeeReader(io.LimitReader(letters{}, 100<<20), counter{&sent})
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url("/oauth/token"), body)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := g.client.Do(r)
			if err != nil {
				return // cut off while it was still sending: also a refusal
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("status %d, want 413", resp.StatusCode)
			}
		})
	}
	wg.Wait()
	runtime.ReadMemStats(&after)
	// net/http reads on for 256 KiB, so that the client hears the answer; the rest is in the sockets' buffers.
	if per := sent.Load() / clients; per > 16<<20 {
		t.Errorf("%d MiB of each body were sent", per>>20)
	}
	// Both ends are in this process. What a client buffers to send counts too.
	allocated := int64(after.TotalAlloc-before.TotalAlloc) / clients
	t.Logf("%d KiB of each body were sent; %d KiB were allocated for it", sent.Load()/clients>>10, allocated>>10)
	if allocated > 16*limit {
		t.Errorf("a body allocates %d KiB", allocated>>10)
	}
}

// letters is a body without an end.
type letters struct{}

var manyLetters = bytes.Repeat([]byte{'a'}, 32<<10)

func (letters) Read(b []byte) (int, error) {
	return copy(b, manyLetters), nil
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// R-41, DOS-05: thousands of connections that stay open and idle take no
// goroutine, file or memory of ours, and everybody else is served.
func TestIdleConnections(t *testing.T) {
	connections := 1000
	if testing.Short() {
		connections = 200
	}
	g := startGateway(t, gatewayOptions{API: guardOf()})
	token := g.machineToken()
	g.call("/orders", token)
	request := "GET /none HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "x\r\n\r\n"
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	runtime.GC()
	goroutines := runtime.NumGoroutine()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	answer := make([]byte, 4096)
	for range connections {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.API, "http://"))
		if err != nil {
			t.Fatalf("connection %d: %v", len(open), err)
		}
		open = append(open, c)
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 401 ") {
			t.Fatalf("connection %d: %q, %v", len(open), answer[:n], err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perConnection := (int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)) / int64(connections)
	t.Logf("%d idle connections: %d bytes and %.2f goroutines for each", connections, perConnection,
		float64(runtime.NumGoroutine()-goroutines)/float64(connections))
	if perConnection > 64<<10 {
		t.Errorf("an idle connection costs %d bytes", perConnection)
	}
	// net/http has one for each connection, and one that waits for its next byte.
	if n := runtime.NumGoroutine() - goroutines; n > 2*connections+100 {
		t.Errorf("%d goroutines for %d connections", n, connections)
	}
	if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusOK {
		t.Errorf("beside them: %d", resp.StatusCode)
	}
	for _, c := range open {
		_ = c.Close()
	}
	open = nil
	eventually(t, "the goroutines to end", func() bool {
		g.client.CloseIdleConnections()
		return runtime.NumGoroutine() <= goroutines+50
	})
}

// DOS-05: as many streams of HTTP/2 as a client may open, all held by the
// upstream, and everybody else is served.
func TestManyStreams(t *testing.T) {
	g := startGateway(t, gatewayOptions{Servers: "protocols h1 h2c"})
	token := g.machineToken()
	release := make(chan struct{})
	var held atomic.Int64
	g.upstream.server.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			held.Add(1)
			<-release
		}
	})
	const streams = 400
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	var wg sync.WaitGroup
	var served atomic.Int64
	for range streams {
		wg.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.API+"/held", nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+token)
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK && resp.ProtoMajor == 2 {
				served.Add(1)
			}
		})
	}
	eventually(t, "a full connection", func() bool { return held.Load() >= 200 })
	if resp, _ := g.call("/orders", token); resp.StatusCode != http.StatusOK {
		t.Errorf("beside them: %d", resp.StatusCode)
	}
	close(release)
	wg.Wait()
	if n := served.Load(); n != streams {
		t.Errorf("%d of %d streams were served", n, streams)
	}
}

// flood sends requests from several clients at once and returns how long it took.
func (g *gateway) flood(n int, request func(i int) *http.Request) time.Duration {
	g.t.Helper()
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				resp, err := g.client.Do(request(i).WithContext(context.Background()))
				if err != nil {
					g.t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// ownLines counts the lines of the log that are ours.
func (g *gateway) ownLines() (n int) {
	g.t.Helper()
	for line := range strings.Lines(g.logs()) {
		var entry struct {
			Logger string `json:"logger"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			g.t.Errorf("not a line of JSON: %.200q", line)
		}
		if strings.HasPrefix(entry.Logger, "oauth") || strings.HasPrefix(entry.Logger, "http.handlers.") {
			n++
		}
	}
	return n
}

// DOS-13: a flood of what anybody can send fills no log. Of refused tokens of a
// route (G10), and of the token endpoint's refusals, the first is a line, and then one a second.
func TestLogFlood(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	const requests = 500
	before := g.ownLines()
	took := g.flood(requests, func(i int) *http.Request {
		return g.request(g.API+"/orders", nil, "Authorization", fmt.Sprintf("Bearer a.b%d.c", i))
	})
	if n := g.ownLines() - before; n == 0 || n > int(took/time.Second)+3 {
		t.Errorf("%d bad tokens in %v wrote %d lines", requests, took, n)
	}
	if _, text := g.admin(http.MethodGet, "/metrics"); series(t, text, `caddy_oauth_token_checks_total{verdict="malformed"}`) < requests {
		t.Error("they are not counted")
	}
	before = g.ownLines()
	took = g.flood(requests, func(i int) *http.Request {
		return g.request(g.url("/oauth/token"), url.Values{"grant_type": {"refresh_token"}, "client_id": {fmt.Sprint("nobody", i)}})
	})
	seconds := int(took/time.Second) + 2
	n := g.ownLines() - before
	t.Logf("%d refusals in %v wrote %d lines", requests, took.Round(time.Millisecond), n)
	if n == 0 || n > 2*(seconds+1) {
		t.Errorf("%d refusals in %v wrote %d lines", requests, took, n)
	}
}

// DOS-14: whatever a client makes up, no metric gets a new series.
func TestMetricsOfMadeUpValues(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	madeUp := func(word string) {
		token := func(form url.Values, headers ...string) { g.do(g.request(g.url("/oauth/token"), form, headers...)) }
		token(url.Values{"grant_type": {word}, "client_id": {"my-spa"}})
		token(url.Values{"grant_type": {"refresh_token"}, "client_id": {word}, "refresh_token": {word}})
		token(url.Values{"grant_type": {"client_credentials"}, "client_id": {"worker"}, "client_secret": {g.Machine}, "scope": {word}, "audience": {word}})
		g.do(g.request(g.url("/"+word), nil))
		g.do(g.request(g.url("/oauth/"+word), nil))
		g.do(g.request(g.url("/authorize?client_id="+word), nil))
		g.do(g.request(g.url("/callback/"+word), nil))
		header := fmt.Sprintf(`{"typ":"at+jwt","alg":"ES256","kid":%q}`, word)
		for _, text := range []string{word, unsignedToken(header, `{"iss":"https://`+word+`.example/"}`), unsignedToken(header, `{"iss":"`+g.Issuer+`"}`)} {
			g.call("/"+word, text)
		}
		g.call("/orders", "", "Origin", "https://"+word+".example", "Host", word)
		r := g.request(g.API+"/"+word, nil)
		r.Method = strings.ToUpper(word)
		g.do(r)
	}
	count := func() (n int) {
		_, text := g.admin(http.MethodGet, "/metrics")
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "caddy_oauth_") {
				n++
			}
			if strings.Contains(line, "madeup") {
				t.Errorf("a client has made %s", line)
			}
		}
		return n
	}
	madeUp("first-madeup")
	before := count()
	for i := range 20 {
		madeUp(fmt.Sprint("madeup", i))
	}
	if after := count(); after != before || before == 0 {
		t.Errorf("%d series became %d", before, after)
	}
}
