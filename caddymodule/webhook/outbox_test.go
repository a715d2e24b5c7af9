package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

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
