package denylist

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// beside returns another node's denylist over the same store.
func (d *testDenylist) beside(t *testing.T) *testDenylist {
	t.Helper()
	other := newTestDenylist(t, *d.limits.Load())
	other.store = d.store
	other.Denylist.store = d.store
	return other
}

// following lets a denylist hear the feed until the test ends, and waits until it does.
func (d *testDenylist) following(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Follow(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	until(t, "the feed is read", func() bool { return d.flushed.Load() > 0 && d.clients.Load().marks != nil })
}

func (d *testDenylist) mustHold(t *testing.T, c *Token) {
	t.Helper()
	if err := d.Check(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	d.cache.Wait()
}

// TestFeedTells: what one node denies, the other refuses, though its verdict is young.
func TestFeedTells(t *testing.T) {
	a := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
	b := a.beside(t)
	b.following(t)
	c := aliceToken()
	b.mustHold(t, c)
	a.store.set(func() { a.store.users[c.User] = storage.UserDenials{Before: epoch} })
	if err := a.Settle(t.Context(), c.User, true, nil); err != nil {
		t.Fatal(err)
	}
	if code(a.Check(t.Context(), aliceToken())) != oauth.InvalidToken { // each node reads tokens for itself
		t.Error("the node that denied a token lets it pass")
	}
	until(t, "the other node refuses the token", func() bool { return code(b.Check(t.Context(), c)) == oauth.InvalidToken })

	other := tokenOf(1)
	b.mustHold(t, other)
	a.store.set(func() { a.store.clients[other.Client] = storage.ClientMark{Before: epoch} })
	if err := a.ClientDenied(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the other node knows that the client was ended", func() bool { return code(b.Check(t.Context(), other)) == oauth.InvalidToken })
	if stats := b.FeedStats(); stats.Lines != 2 || stats.Read.IsZero() {
		t.Errorf("%+v", stats)
	}
}

// TestFeedSaysNothing: a call that denies nothing writes no line.
func TestFeedSaysNothing(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
	c := aliceToken()
	d.mustHold(t, c)
	if err := d.Settle(t.Context(), c.User, false, nil); err != nil {
		t.Fatal(err)
	}
	d.mustHold(t, c)
	broken := errors.New("store is down")
	if got := code(d.Settle(t.Context(), c.User, true, broken)); got != oauth.TemporarilyUnavailable {
		t.Errorf("after a call that failed: %q", got)
	}
	if len(d.store.lines) != 0 {
		t.Errorf("lines %+v", d.store.lines)
	}
	if n := d.store.asked.Load(); n != 1 {
		t.Errorf("%d questions: nothing was denied", n)
	}
	d.mustHold(t, c) // perhaps it was, in the call that failed
	if n := d.store.asked.Load(); n != 2 {
		t.Errorf("%d questions after a call that perhaps denied something", n)
	}
}

// TestFeedOwed: a line that cannot be written is an error, and is written when it can.
func TestFeedOwed(t *testing.T) {
	a := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
	b := a.beside(t)
	a.following(t)
	b.following(t)
	c := aliceToken()
	b.mustHold(t, c)
	a.store.set(func() {
		a.store.users[c.User] = storage.UserDenials{Before: epoch}
		a.store.mute = errors.New("the feed's slot is down")
	})
	for range 2 {
		if got := code(a.Settle(t.Context(), c.User, true, nil)); got != oauth.TemporarilyUnavailable {
			t.Errorf("a denial of which nobody was told: %q", got)
		}
	}
	a.store.set(func() { a.store.mute = nil })
	until(t, "the other node refuses the token", func() bool { return code(b.Check(t.Context(), c)) == oauth.InvalidToken })
	a.store.set(func() {
		if n := len(a.store.lines); n > 1 { // none, where the other node asked before it could hear
			t.Errorf("%d lines about one user", n)
		}
	})
	for n := range maxOwed + 5 {
		a.owed.add(storage.FeedLine{Kind: storage.FeedUser, User: tokenOf(n).User})
	}
	if n := len(a.owed.take()); n > maxOwed {
		t.Errorf("%d lines are owed", n)
	}
}

// TestFeedLost: whatever may have kept a line from being heard drops all verdicts.
func TestFeedLost(t *testing.T) {
	broken := errors.New("connection reset")
	for _, tt := range []struct {
		name string
		loss storage.FeedLoss
		err  error
	}{{"cut", storage.FeedCut, broken}, {"gap", storage.FeedGap, nil}, {"replaced", storage.FeedReplaced, nil}} {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
			d.following(t)
			c := aliceToken()
			d.mustHold(t, c)
			d.store.set(func() {
				d.store.users[c.User] = storage.UserDenials{Before: epoch}
				d.store.clients[c.Client] = storage.ClientMark{Before: epoch.Add(-time.Hour)}
				d.store.once = storage.FeedPage{Loss: tt.loss, Next: storage.FeedPosition{Born: 1}}
				d.store.mute = tt.err
				d.store.wake()
			})
			if tt.err != nil {
				until(t, "the reader has noticed", func() bool { d.store.mu.Lock(); defer d.store.mu.Unlock(); return d.store.failed > 0 })
				if err := d.Check(t.Context(), c); err != nil {
					t.Errorf("a young verdict during the cut: %v", err)
				}
				d.store.set(func() { d.store.mute = nil })
			}
			until(t, "the verdict is dropped", func() bool { return code(d.Check(t.Context(), c)) == oauth.InvalidToken })
			if stats := d.FeedStats(); stats.Flushes[tt.loss] != 1 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// TestFlushStale: what was dropped for want of certainty is still good enough
// while the store does not answer, if the operator wants that; what was denied is not.
func TestFlushStale(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: 10 * time.Second, allowStale: time.Minute})
	c, other := tokenOf(1), tokenOf(2)
	d.mustHold(t, c)
	d.mustHold(t, other)
	d.Flush()
	d.Changed(other.User)
	d.store.set(func() { d.store.err = errors.New("store is down") })
	if err := d.Check(t.Context(), c); err != nil {
		t.Errorf("allow_stale after a flush: %v", err)
	}
	if got := code(d.Check(t.Context(), other)); got != oauth.TemporarilyUnavailable {
		t.Errorf("a user of whom something was denied: %q", got)
	}
}
