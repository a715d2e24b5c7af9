package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// A6: the same alarm waits once and says how often it came; other alarms have room.
func TestAlarmsOfOneFillNoQueue(t *testing.T) {
	q := newAlarmQueue()
	bob := floodKey{kind: tokens.EventRefreshReuse, outcome: "reuse", who: 1}
	for range 100_000 {
		if !q.put(bob, queuedEvent{name: "bob", leftOut: 1}) {
			t.Fatal("no room")
		}
	}
	if !q.put(floodKey{kind: tokens.EventRefreshReuse, outcome: "reuse", who: 2}, queuedEvent{name: "alice"}) {
		t.Fatal("no room for alice")
	}
	first, _ := q.take()
	second, _ := q.take()
	if first.name != "bob" || first.leftOut != 2*100_000-1 || second.name != "alice" || second.leftOut != 0 {
		t.Errorf("%+v, %+v", first, second)
	}
	if _, ok := q.take(); ok {
		t.Error("more waits")
	}
	for n := range 2 * alarmsWaiting {
		if ok := q.put(floodKey{who: uint64(n) + 3}, queuedEvent{}); ok != (n < alarmsWaiting) {
			t.Fatalf("alarm %d: room %v", n, ok)
		}
	}
}

// target is where an outbox posts.
type target struct {
	mu     sync.Mutex
	down   bool
	posted []string
	tried  int
}

func (p *target) post(_ context.Context, body []byte) error {
	time.Sleep(10 * time.Millisecond) // of the network
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried++
	if p.down {
		return errors.New("it is away")
	}
	p.posted = append(p.posted, string(body))
	return nil
}

func (p *target) set(down bool) { p.mu.Lock(); defer p.mu.Unlock(); p.down = down }

func (p *target) all() []string { p.mu.Lock(); defer p.mu.Unlock(); return p.posted }

func (p *target) tries() int { p.mu.Lock(); defer p.mu.Unlock(); return p.tried }

func runs(o *outbox) bool { o.mu.Lock(); defer o.mu.Unlock(); return o.running }

// A6: alarms overtake what waits, are tried again until the target is back, and
// are not lost for a full queue of all else.
func TestOutboxSendsAlarmsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &target{down: true}
		var dropped atomic.Int32
		o := newOutbox(p.post, zap.NewNop(), nil, func() { dropped.Add(1) })
		for n := range 2 * outboxRoom {
			o.send("oauth.login", fmt.Appendf(nil, "login %d", n), false)
		}
		o.send("oauth.refresh_reuse_detected", []byte("alarm"), true)
		time.Sleep(2 * time.Minute)
		if dropped.Load() != 2*outboxRoom { // half for want of room, half after three tries
			t.Errorf("%d were dropped, want %d", dropped.Load(), 2*outboxRoom)
		}
		p.set(false)
		for n := range 100 {
			o.send("oauth.login", fmt.Appendf(nil, "later %d", n), false)
		}
		o.send("oauth.store_new", []byte("second alarm"), true)
		time.Sleep(2 * longestHookStop)
		synctest.Wait()
		posted := p.all()
		if len(posted) != 102 || posted[0] != "second alarm" && posted[1] != "second alarm" {
			t.Errorf("posted %d, first %v", len(posted), posted[:min(3, len(posted))])
		}
		if !strings.Contains(strings.Join(posted, " "), "alarm") || runs(o) {
			t.Error("the alarm was lost, or the outbox runs on")
		}
	})
}

// A target that is away for good is given up, an alarm after a quarter of an hour.
func TestOutboxGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &target{down: true}
		var dropped atomic.Int32
		o := newOutbox(p.post, zap.NewNop(), nil, func() { dropped.Add(1) })
		o.send("oauth.store_new", []byte("alarm"), true)
		time.Sleep(10 * time.Minute)
		if dropped.Load() != 0 {
			t.Error("the alarm was given up in ten minutes")
		}
		time.Sleep(20 * time.Minute)
		if dropped.Load() != 1 || p.tries() != alarmTries || runs(o) {
			t.Errorf("dropped %d after %d tries", dropped.Load(), p.tries())
		}
	})
}

// A reload while the target is away: the alarm is tried for half a minute more.
func TestOutboxAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &target{down: true}
		var dropped atomic.Int32
		o := newOutbox(p.post, zap.NewNop(), nil, func() { dropped.Add(1) })
		o.send("oauth.store_new", []byte("alarm"), true)
		o.send("oauth.login", []byte("login"), false)
		time.Sleep(time.Second / 2)
		o.close()
		p.set(false)
		time.Sleep(20 * time.Second)
		if posted := p.all(); len(posted) != 1 || posted[0] != "alarm" {
			t.Errorf("posted %v", posted)
		}
		p.set(true)
		o.send("oauth.store_new", []byte("alarm of a late request"), true)
		time.Sleep(3 * time.Minute)
		if runs(o) || dropped.Load() != 2 {
			t.Errorf("the outbox runs on, or %d were dropped", dropped.Load())
		}
	})
}

// An alarm that would have waited a minute for its next try is tried at the end, too.
func TestOutboxTriesAgainAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &target{down: true}
		o := newOutbox(p.post, zap.NewNop(), nil, func() {})
		o.send("oauth.store_new", []byte("alarm"), true)
		time.Sleep(5 * time.Minute)
		p.set(false)
		o.close()
		time.Sleep(time.Second)
		if posted := p.all(); len(posted) != 1 {
			t.Errorf("posted %v", posted)
		}
	})
}

// A6: a thousand wrong logins a second while a stolen refresh token is replayed:
// the alarm reaches the webhook, which is slow.
func TestA6AlarmInAFlood(t *testing.T) {
	h := newHook(t)
	h.pause = 200 * time.Millisecond
	g := startGateway(t, gatewayOptions{Global: `events {
		on oauth.login oauth_webhook ` + h.URL + `
		on oauth.token_refused oauth_webhook ` + h.URL + `
		on oauth.refresh_reuse_detected oauth_webhook ` + h.URL + `
	}`})
	oauth, err := caddy.ActiveContext().AppIfConfigured("oauth")
	if err != nil {
		t.Fatal(err)
	}
	app := oauth.(*App)
	flooding, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for n := 0; flooding.Err() == nil; n++ { // faster than any login
				app.observer.Happened(flooding, tokens.Event{Kind: tokens.EventLogin, Outcome: "failed", About: fmt.Sprint(n)})
				app.observer.Happened(flooding, tokens.Event{Kind: tokens.EventTokenRefused, Outcome: "bad_mac", Client: "my-spa"})
				if n%100 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	g.reuse()
	eventually(t, "the alarm", func() bool {
		for _, got := range h.received() {
			if got.event.Type == "oauth.refresh_reuse_detected" {
				return true
			}
		}
		return false
	})
	stop()
	running.Wait()
}

// alarms are known kinds, and are written as such in the docs.
func TestAlarmsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(page), "### Alarms")
	list, _, _ = strings.Cut(list, "\n#")
	if !ok {
		t.Fatal("docs/events.md has no list of alarms")
	}
	for _, kind := range tokens.EventKinds() {
		if got := strings.Contains(list, "`"+string(kind)+"`"); got != isAlarm(kind) {
			t.Errorf("%s: in the list of alarms in docs/events.md: %v, want %v", kind, got, isAlarm(kind))
		}
	}
}

// counted fields are numbers in the event, too.
func TestLeftOutIsInTheEvent(t *testing.T) {
	data := eventData(tokens.Event{Kind: tokens.EventLogin, About: "local canary"}, request{})
	if text, err := json.Marshal(data); err != nil || strings.Contains(string(text), "canary") {
		t.Errorf("%s, %v", text, err)
	}
}
