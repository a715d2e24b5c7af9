package nodes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// receiver is an application that is told of sign-outs. It answers as a test says.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	answer http.HandlerFunc // nil is 200
	hits   int
	told   map[string]int // good answers, by sid
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{told: make(map[string]int)}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.hits++
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, q)
		return
	}
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(q.PostFormValue("logout_token"), ".")[1])
	var claims struct{ Sid string }
	_ = json.Unmarshal(payload, &claims)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told[claims.Sid]++
}

func (r *receiver) set(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// seen returns how many sessions it was told of, and how often it was asked in all.
func (r *receiver) seen() (told, hits int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told), r.hits
}

// toldSite has two nodes and a client that is told, at an address that may not be served yet.
func toldSite(t *testing.T, uri string) *site {
	t.Helper()
	return startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr), Client: "backchannel_logout_uri " + uri})
}

// TestH9KilledBeforeSending: the node of the sign-out is killed before the application could be
// told: the other one tells it.
func TestH9KilledBeforeSending(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	s := toldSite(t, fmt.Sprintf("http://127.0.0.1:%d/out", port))
	a, b := s.nodes[0], s.nodes[1]
	var logins []*login
	for range 5 {
		logins = append(logins, s.newLogin(t, 0, 1))
	}
	for _, l := range logins {
		if v := l.signOut(a); v != history.Done {
			t.Fatalf("sign-out at A: %s", v)
		}
	}
	a.kill()
	r := newReceiver(t)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Listener.Close()
	r.Listener = listener
	r.Start()
	within(t, "B to tell the application of all five", 2*time.Minute, func() bool { told, _ := r.seen(); return told == 5 })
	for _, l := range logins {
		if v := l.renewOnce(b); v != history.Refused {
			t.Errorf("refresh at B: %s", v)
		}
	}
}

// TestH9Receivers: an application that hangs, fails, or redirects costs a sign-out nothing, and
// nothing is sent anywhere else.
func TestH9Receivers(t *testing.T) {
	t.Parallel()
	elsewhere := newReceiver(t)
	elsewhere.Start()
	r := newReceiver(t)
	r.Start()
	s := toldSite(t, r.URL+"/out")
	release := make(chan struct{})
	defer close(release)
	for name, answer := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
		"redirect": func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"hangs": func(_ http.ResponseWriter, q *http.Request) {
			select {
			case <-release:
			case <-q.Context().Done():
			case <-time.After(30 * time.Second):
			}
		},
	} {
		r.set(answer)
		_, before := r.seen()
		l := s.newLogin(t, 0, 1)
		began := time.Now()
		if v := l.signOut(s.nodes[1]); v != history.Done {
			t.Fatalf("%s: sign-out: %s", name, v)
		}
		if took := time.Since(began); took > 15*time.Second { // half of what it hangs
			t.Errorf("%s: the sign-out took %v", name, took)
		}
		within(t, "the application to be asked, which "+name, 10*time.Second, func() bool { _, hits := r.seen(); return hits > before })
	}
	r.set(nil)
	within(t, "the application to be told of all three", time.Minute, func() bool { told, _ := r.seen(); return told == 3 })
	if _, hits := elsewhere.seen(); hits != 0 {
		t.Error("a token went where the application had sent it on")
	}
}
