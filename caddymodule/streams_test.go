package caddymodule

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// endless is an upstream that keeps what it is asked for open: WebSockets (as far as their
// handshake goes), events, and calls that take long.
func endless(t *testing.T) (address string) {
	t.Helper()
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		switch r.URL.Path {
		case "/socket":
			conn, buf, err := control.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello\n")
			_ = buf.Flush()
			_, _ = io.Copy(conn, buf) // an echo, until the other end closes
		case "/events", "/call":
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "hello\n")
			_ = control.Flush()
			select {
			case <-r.Context().Done():
			case <-stop:
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	return strings.TrimPrefix(server.URL, "http://")
}

// opened is a request that the upstream has answered and not ended.
type opened struct {
	name, mode string
	openEnded  bool
	over       chan struct{} // closed when the gateway has ended it
}

// open sends a request through the gateway, and waits until it is under way.
func (g *gateway) open(name, token string, lines ...string) *opened {
	g.t.Helper()
	host := strings.TrimPrefix(g.API, "http://")
	conn, err := new(net.Dialer).DialContext(g.t.Context(), "tcp", host)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n", name, host, token, strings.Join(lines, "\r\n")); err != nil {
		g.t.Fatal(err)
	}
	o := &opened{name: strings.Join(append([]string{name}, lines...), " "), over: make(chan struct{})}
	answer := bufio.NewReader(conn)
	status, err := answer.ReadString('\n')
	if err != nil || !strings.Contains(status, " 101 ") && !strings.Contains(status, " 200 ") {
		g.t.Fatalf("%s: %q %v", o.name, status, err)
	}
	for line := ""; !strings.Contains(line, "hello"); {
		if line, err = answer.ReadString('\n'); err != nil {
			g.t.Fatalf("%s: %v", o.name, err)
		}
	}
	go func() {
		defer close(o.over)
		_, _ = io.Copy(io.Discard, answer)
	}()
	return o
}

var streamKinds = []struct {
	request   string
	lines     []string
	openEnded bool
}{
	{"GET /socket", []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, true},
	{"GET /events", []string{"Accept: text/event-stream"}, true},
	{"GET /events", nil, false}, // as long as the upstream likes
	{"POST /call", []string{"Content-Length: 0", "Accept: application/json, text/event-stream"}, false},
	{"GET /large", nil, false},
}

var streamModes = []string{"", streamsUntilExpiry, streamsUntilRevoked, streamsKeep}

// startStreams runs a gateway with a guard for each mode, each below its name.
func startStreams(t *testing.T, lifetime string) *gateway {
	t.Helper()
	g := newGateway(t)
	large, err := os.Create(filepath.Join(g.dir, "large"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = large.WriteString("hello\n")
	if err := large.Truncate(1 << 40); err != nil { // sparse
		t.Fatal(err)
	}
	_ = large.Close()
	var api strings.Builder
	upstream := endless(t)
	for _, mode := range streamModes {
		option := ""
		if mode != "" {
			option = "streams " + mode
		}
		fmt.Fprintf(&api, "handle_path /%s/* {\nbearer_auth {\naudience https://api.example.com\n%s\n}\nhandle /large {\nroot %s\nfile_server\n}\nhandle {\nreverse_proxy %s {\nstream_close_delay 1h\n}\n}\n}\n",
			cmp.Or(mode, "default"), option, g.dir, upstream)
	}
	// The delay keeps Caddy from closing what its own goroutines may still copy when it stops,
	// which the race detector would tell of.
	t.Cleanup(func() { _ = caddy.Stop() })
	if err := g.loadCaddyfile([]byte(strings.Replace(string(g.caddyfile(gatewayOptions{API: api.String()})), "allow_offline_access", "allow_offline_access\n"+lifetime, 1))); err != nil {
		t.Fatal(err)
	}
	return g
}

// openAll opens one stream of each kind under each mode.
func (g *gateway) openAll(token string) (all []*opened) {
	g.t.Helper()
	for _, mode := range streamModes {
		for _, kind := range streamKinds {
			method, path, _ := strings.Cut(kind.request, " ")
			o := g.open(method+" /"+cmp.Or(mode, "default")+path, token, kind.lines...)
			o.mode, o.openEnded = mode, kind.openEnded
			all = append(all, o)
		}
	}
	return all
}

// ended waits for those that must end, and makes sure that the others go on.
func (g *gateway) ended(all []*opened, must func(*opened) bool) {
	g.t.Helper()
	for _, o := range all {
		if must(o) {
			select {
			case <-o.over:
			case <-time.After(40 * time.Second):
				g.t.Errorf("%s goes on", o.name)
			}
		}
	}
	for _, o := range all {
		select {
		case <-o.over:
			if !must(o) {
				g.t.Errorf("%s has ended", o.name)
			}
		default:
		}
	}
}

// G14: what a token has opened ends when that is revoked, however it ends, unless the
// operator says that it does not. What another has opened goes on.
func TestG14StreamsEndWithARevocation(t *testing.T) {
	for _, tt := range []struct {
		name   string
		revoke func(g *gateway, session tokenAnswer)
	}{
		{"the refresh token", func(g *gateway, s tokenAnswer) {
			g.do(g.request(g.url("/oauth/revoke"), url.Values{"client_id": {"my-spa"}, "token": {s.RefreshToken}}))
		}},
		{"the access token", func(g *gateway, s tokenAnswer) {
			g.do(g.request(g.url("/oauth/revoke"), url.Values{"client_id": {"my-spa"}, "token": {s.AccessToken}}))
		}},
		{"all of the person", func(g *gateway, _ tokenAnswer) { g.admin(http.MethodDelete, "/oauth/grants?subject=local%7Calice") }},
		{"the client", func(g *gateway, _ tokenAnswer) { g.admin(http.MethodPost, "/oauth/clients/my-spa/end") }},
		{"the person is disabled", func(g *gateway, _ tokenAnswer) { g.admin(http.MethodPost, "/oauth/users/local%7Calice/disable") }},
		{"reuse", func(g *gateway, s tokenAnswer) {
			g.refresh(g.refresh(g.refresh(s.RefreshToken).RefreshToken).RefreshToken)
			g.refresh(s.RefreshToken)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := startStreams(t, "")
			session := g.login()
			mine, others := g.openAll(session.AccessToken), g.openAll(g.machineToken())
			tt.revoke(g, session)
			g.ended(mine, func(o *opened) bool { return o.mode != streamsKeep })
			g.ended(others, func(*opened) bool { return false })
			for _, want := range []string{`"msg":"stream_ended"`, `"api":"https://api.example.com"`, `"subject":"local|alice"`} {
				if !strings.Contains(g.logs(), want) {
					t.Errorf("the log lacks %s", want)
				}
			}
		})
	}
}

// G14: a token that is over ends what has no end of its own; by a word it ends all, or nothing. M-49: a call of an MCP
// server's tool, a POST that takes events, runs out.
func TestG14M49StreamsEndWithTheirToken(t *testing.T) {
	g := startStreams(t, "access_token_lifetime 10s")
	g.ended(g.openAll(g.login().AccessToken), func(o *opened) bool { return o.mode == streamsUntilExpiry || o.mode == "" && o.openEnded })
	if !strings.Contains(g.logs(), `"msg":"stream_ended","outcome":"expired"`) {
		t.Error("the log does not say why")
	}
}

// G14, H19: a configuration that follows says who is gone, also for what the one before has
// let in.
func TestG14StreamsAfterAReload(t *testing.T) {
	g := startStreams(t, "")
	token, machine := g.login().AccessToken, g.machineToken()
	events, others := g.open("GET /default/events", token), g.open("GET /default/events", machine)
	reload := func(user string) {
		t.Helper()
		if err := g.loadCaddyfile(aliceBlock.ReplaceAllLiteral(g.caddyfile(gatewayOptions{}), []byte("user "+user+" "+g.Hash))); err != nil {
			t.Fatal(err)
		}
	}
	reload("alice")
	if resp, _ := g.call("/x", token); resp.StatusCode != http.StatusOK {
		t.Fatalf("alice gets %d", resp.StatusCode)
	}
	g.ended([]*opened{events, others}, func(*opened) bool { return false })
	reload("bob")
	g.ended([]*opened{events, others}, func(o *opened) bool { return o == events })
}

// TestG14NobodyCanSay: a request goes on while the store does not answer, for max_lag, and
// ends at once when it is known to be over.
func TestG14NobodyCanSay(t *testing.T) {
	const lag = 10 * time.Second
	begun := time.Now()
	b := &belief{maxLag: lag}
	b.know(begun)
	away := oauth.Unavailable(errors.New("no answer"))
	denied := oauth.Refuse(oauth.InvalidToken, oauth.ReasonRevoked, "It was revoked.")
	for _, step := range []struct {
		after time.Duration
		err   error
		ends  bool
	}{
		{time.Second, away, false},
		{9 * time.Second, away, false},
		{9500 * time.Millisecond, nil, false},
		{19 * time.Second, away, false},
		{19 * time.Second, denied, true},
		{20 * time.Second, away, true},
	} {
		if err := b.judge(step.err, begun.Add(step.after)); (err != nil) != step.ends {
			t.Errorf("after %v, %v: %v", step.after, step.err, err)
		}
	}
}
