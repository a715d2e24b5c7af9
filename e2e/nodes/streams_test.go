package nodes

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// talkative is an upstream with a WebSocket that echoes, and with events that never end.
func talkative(t *testing.T) (address string) {
	t.Helper()
	stop := make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/socket", websocket.Handler(func(c *websocket.Conn) { _, _ = io.Copy(c, c) }))
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: hello\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	return strings.TrimPrefix(server.URL, "http://")
}

// opened is what somebody has open at a node. It is closed when the node has ended it.
type opened struct {
	name string
	over chan struct{}
}

// isOver reports whether the node has ended it, some time from now at the latest.
func (o opened) isOver(wait time.Duration) bool {
	select {
	case <-o.over:
		return true
	case <-time.After(wait):
		return false
	}
}

// openSocket opens a WebSocket, and makes sure that it is one.
func (l *login) openSocket(t *testing.T, n *node) opened {
	t.Helper()
	cfg, err := websocket.NewConfig(fmt.Sprintf("ws://localhost:%d/socket", n.apiPort), "https://app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Header = http.Header{"Authorization": {"Bearer " + l.access}}
	c, err := cfg.DialContext(t.Context())
	if err != nil {
		t.Fatalf("node %s: %v", n.name, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	var echo string
	if err := websocket.Message.Send(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := websocket.Message.Receive(c, &echo); err != nil || echo != "hello" {
		t.Fatalf("node %s: echo %q, %v", n.name, echo, err)
	}
	o := opened{"a WebSocket at node " + n.name, make(chan struct{})}
	go func() {
		defer close(o.over)
		_ = websocket.Message.Receive(c, &echo)
	}()
	return o
}

// openEvents asks for server-sent events.
func (l *login) openEvents(t *testing.T, n *node) opened {
	t.Helper()
	r := l.person.site.get(fmt.Sprintf("http://localhost:%d/events", n.apiPort))
	r.Header.Set("Authorization", "Bearer "+l.access)
	r.Header.Set("Accept", "text/event-stream")
	client := http.Client{Transport: new(http.Transport)}
	t.Cleanup(client.CloseIdleConnections)
	resp, err := client.Do(r.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	events := bufio.NewReader(resp.Body)
	if line, err := events.ReadString('\n'); err != nil || line != "data: hello\n" {
		t.Fatalf("node %s: %d %q, %v", n.name, resp.StatusCode, line, err)
	}
	o := opened{"events at node " + n.name, make(chan struct{})}
	go func() {
		defer close(o.over)
		_, _ = io.Copy(io.Discard, events)
	}()
	return o
}

func (l *login) openAll(t *testing.T) (all []opened) {
	t.Helper()
	for _, n := range l.person.site.nodes {
		all = append(all, l.openSocket(t, n), l.openEvents(t, n))
	}
	return all
}

// G14: WebSockets and events end at all nodes when one is told of the revocation, and
// those of others go on. When the store cannot say any more who is revoked, they end as
// requests are refused: after max_lag, which allow_stale puts off.
func TestG14StreamsOfTwoNodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, denylist string
		ends           bool
	}{{"deny", "", true}, {"allow_stale", "on_store_failure allow_stale 1h", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			s := startSite(t, siteOptions{
				Store: standalone(server.Addr), MaxLag: 3 * time.Second, Denylist: tt.denylist, API: "@long path /socket /events\nhandle @long {\nreverse_proxy " + talkative(t) + "\n}",
			})
			l, other := s.newLogin(t, 0, 1), s.newLogin(t, 0, 1)
			mine, others := l.openAll(t), other.openAll(t)
			if v := l.revoke(s.nodes[0]); v != history.Done {
				t.Fatalf("revoke: %s", v)
			}
			for _, o := range mine {
				if !o.isOver(lag + time.Second) {
					t.Errorf("%s goes on", o.name)
				}
			}
			if others[0].isOver(0) || others[1].isOver(0) || others[2].isOver(0) || others[3].isOver(0) {
				t.Error("those of another have ended")
			}
			repair := s.broke()
			defer repair()
			server.Kill()
			for _, o := range others {
				wait := s.options.MaxLag + 5*time.Second
				if !tt.ends {
					wait /= 4
				}
				if ended := o.isOver(wait); ended != tt.ends {
					t.Errorf("%s without a store: ended %t", o.name, ended)
				}
			}
		})
	}
}
