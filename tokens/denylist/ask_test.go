package denylist

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// held makes answers of the store wait until the function it returns is called.
func (d *testDenylist) held() (release func()) {
	gate := make(chan struct{})
	d.store.set(func() { d.store.hold = func() <-chan struct{} { return gate } })
	return sync.OnceFunc(func() { close(gate) })
}

func (d *testDenylist) inquiries() (open, waiting int) {
	d.asker.mu.Lock()
	defer d.asker.mu.Unlock()
	return len(d.asker.open), len(d.asker.waiting)
}

func tokenOf(n int) *Token {
	c := aliceToken()
	c.User = storage.TagSubject(fmt.Sprint("local|", n))
	return c
}

// TestAskTogether lets many users be asked about at once: those who come while
// questions are under way share the next ones.
func TestAskTogether(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
	if err := d.loadClients(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := d.held()
	const users = askedAtOnce + 2*askedTogether + 10
	denied := func(n int) bool { return n%7 == 0 }
	d.store.set(func() {
		for n := range users {
			if denied(n) {
				d.store.users[tokenOf(n).User] = storage.UserDenials{Before: epoch}
			}
		}
	})
	var callers sync.WaitGroup
	for n := range users {
		for range 3 { // of the same user
			callers.Go(func() {
				if got := code(d.Check(t.Context(), tokenOf(n))); (got == oauth.InvalidToken) != denied(n) || got != "" && !denied(n) {
					t.Errorf("user %d: %q", n, got)
				}
			})
		}
	}
	until(t, "all have asked", func() bool {
		open, waiting := d.inquiries()
		return open == users && waiting == users-askedAtOnce
	})
	release()
	callers.Wait()
	if n := d.store.asked.Load(); n > users/8 { // who comes too late to share one asks again
		t.Errorf("%d questions about %d users", n, users)
	}
	if d.store.most > askedTogether {
		t.Errorf("a question about %d users", d.store.most)
	}
	until(t, "none is left", func() bool { // an asker notes its end after its callers have their answers
		open, waiting := d.inquiries()
		d.asker.mu.Lock()
		defer d.asker.mu.Unlock()
		return open == 0 && waiting == 0 && d.asker.underway == 0
	})
}

// TestAskOwnContext: a caller that shares another's question leaves when its own
// context ends, and gets its answer when the other one leaves.
func TestAskOwnContext(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
	release := d.held()
	defer release()
	asking, leave := context.WithCancel(t.Context())
	first, second, third := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	user := storage.TagSubject("local|alice")
	ask := func(ctx context.Context, answer chan error) {
		_, err := d.asker.ask(ctx, user)
		answer <- err
	}
	go ask(asking, first)
	until(t, "the first asks", func() bool { return d.store.asked.Load() == 1 })
	impatient, giveUp := context.WithCancel(t.Context())
	go ask(impatient, second)
	go ask(t.Context(), third)
	giveUp()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	if open, _ := d.inquiries(); open != 1 {
		t.Errorf("%d inquiries about one user", open)
	}
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who left: %v", err)
	}
	release()
	if err := <-third; err != nil {
		t.Errorf("who stayed: %v", err)
	}
}

// TestAskAfterChange: an answer that was asked for before a revocation is not
// given to those who ask after it, whoever waits for it.
func TestAskAfterChange(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
	if err := d.loadClients(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := aliceToken()
	release := d.held()
	before := make(chan error, 1)
	go func() { before <- d.Check(t.Context(), c) }()
	until(t, "the first asks", func() bool { return d.store.asked.Load() == 1 })
	d.store.set(func() {
		d.store.users[c.User] = storage.UserDenials{Before: epoch}
		d.store.hold = nil
	})
	d.Changed(c.User)
	if got := code(d.Check(t.Context(), c)); got != oauth.InvalidToken {
		t.Errorf("asked after the revocation: %q", got)
	}
	release()
	if err := <-before; err != nil {
		t.Errorf("asked before the revocation: %v", err)
	}
	d.cache.Wait()
	if got := code(d.Check(t.Context(), c)); got != oauth.InvalidToken {
		t.Errorf("the late answer was kept: %q", got)
	}
}

// TestAskApart: where some users cannot be asked about, the others can.
func TestAskApart(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: 10 * time.Second, allowStale: time.Minute})
	down := errors.New("this slot is down")
	seen := tokenOf(1)
	if err := d.Check(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	d.cache.Wait()
	d.store.set(func() { d.store.apart = map[storage.UserTag]error{tokenOf(1).User: down, tokenOf(2).User: down} })
	d.pass(11 * time.Second)
	for n, want := range []oauth.ErrorCode{"", "", oauth.TemporarilyUnavailable, ""} { // user 1 has a stale verdict
		if got := code(d.Check(t.Context(), tokenOf(n))); got != want {
			t.Errorf("user %d: %q, want %q", n, got, want)
		}
	}
}

// TestAskPanic: a panic of the store leaves nobody waiting.
func TestAskPanic(t *testing.T) {
	d := newTestDenylist(t, denylistLimits{maxLag: time.Hour})
	d.store.set(func() { d.store.onAnswer = func() { panic("the store") } })
	release := d.held()
	var callers sync.WaitGroup
	for n := range 3 * askedAtOnce {
		callers.Go(func() {
			defer func() { _ = recover() }() // as net/http does
			if _, err := d.asker.ask(t.Context(), tokenOf(n).User); err == nil {
				t.Error("a panic is no answer")
			}
		})
	}
	until(t, "all have asked", func() bool { open, _ := d.inquiries(); return open == 3*askedAtOnce })
	release()
	callers.Wait()
	d.store.set(func() { d.store.onAnswer = nil })
	if _, err := d.asker.ask(t.Context(), tokenOf(1).User); err != nil {
		t.Errorf("after the panic: %v", err)
	}
}
