package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// The bounds of the exchanges of one login (M2): the provider would throttle this
// gateway, and with it everybody.
const (
	maxExchanges  = 32               // at once
	maxWaiting    = 512              // for one of them to end
	exchangeWait  = 30 * time.Second // at most: codes do not live for much longer
	maxFailures   = 20               // in breakerPeriod
	breakerPeriod = 10 * time.Second
	breakerPause  = 10 * time.Second
	busyPause     = time.Second // when to try again where too many wait
)

// bounds counts exchanges.
type bounds struct {
	slots    chan struct{} // one for each exchange that runs
	mu       sync.Mutex
	waiting  int
	failures []time.Time   // the latest, the oldest first; at most maxFailures
	until    time.Time     // nothing passes before
	why      login.Failure // what the last of them was
}

func newBounds() *bounds { return &bounds{slots: make(chan struct{}, maxExchanges)} }

// enter lets an exchange begin, as soon as there is room, or refuses it.
func (b *bounds) enter(ctx context.Context, now time.Time) error {
	if err := b.queue(now); err != nil {
		return err
	}
	defer b.unqueue()
	timeout := time.NewTimer(exchangeWait)
	defer timeout.Stop()
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-timeout.C:
	case <-ctx.Done():
	}
	return tooMany()
}

// queue lets somebody wait for an exchange.
func (b *bounds) queue(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.until.Sub(now); wait > 0 {
		return &login.FailedError{
			Failure: b.why, Reason: reasonBusy, After: wait,
			Cause: fmt.Errorf("redeeming code: %d exchanges have failed within %s", maxFailures, breakerPeriod),
		}
	}
	if b.waiting >= maxWaiting {
		return tooMany()
	}
	b.waiting++
	return nil
}

func (b *bounds) unqueue() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting--
}

func tooMany() error {
	return &login.FailedError{
		Failure: login.FailedBusy, Reason: reasonBusy, After: busyPause,
		Cause: fmt.Errorf("redeeming code: there are %d exchanges already, and none has ended in time", maxExchanges),
	}
}

// ofProvider reports whether a failure speaks of the provider, or of how this gateway stands
// with it, whatever the code. That a code is refused anybody can bring about: it is held
// against their address, and stops nobody else.
func ofProvider(f *login.FailedError) bool {
	return f != nil && (f.Reason == reasonUnreachable || f.Reason == reasonClient)
}

// leave ends an exchange, with nil where it was good.
func (b *bounds) leave(now time.Time, f *login.FailedError) {
	<-b.slots
	b.mu.Lock()
	defer b.mu.Unlock()
	if !ofProvider(f) {
		return
	}
	if len(b.failures) == maxFailures {
		b.failures = b.failures[1:]
	}
	b.failures = append(b.failures, now)
	if len(b.failures) == maxFailures && now.Sub(b.failures[0]) < breakerPeriod {
		b.until, b.failures, b.why = now.Add(breakerPause), nil, f.Failure
	}
}

// The bounds of what a provider tells of sign-outs, for each login (H8).
const (
	maxVerifications = 64 // at once
	signOutsASecond  = 20
	signOutsAtOnce   = 100 // before that counts: an administrator there ends many sessions at once
)

// signOuts bounds them: anybody can send something.
type signOuts struct {
	slots chan struct{} // one for each verification
	pace  *rate.Limiter
	// front is the pace of what browsers bring: nothing proves who sends that, and it must
	// not keep the provider itself out.
	front *rate.Limiter
	fresh *freshness
}

func newSignOuts() signOuts {
	return signOuts{
		slots: make(chan struct{}, maxVerifications), fresh: new(freshness),
		pace: rate.NewLimiter(signOutsASecond, signOutsAtOnce), front: rate.NewLimiter(signOutsASecond, signOutsAtOnce),
	}
}

// enterFront refuses what browsers bring too often.
func (s signOuts) enterFront(now time.Time) error {
	if !s.front.AllowN(now, 1) {
		return tooManySignOuts()
	}
	return nil
}

// enter takes a place for a logout token, or refuses; leave gives it back.
func (s signOuts) enter(now time.Time) (leave func(), err error) {
	if !s.pace.AllowN(now, 1) {
		return nil, tooManySignOuts()
	}
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	default:
		return nil, tooManySignOuts()
	}
}

func tooManySignOuts() error {
	return &login.FailedError{Failure: login.FailedBusy, Reason: reasonBusy, After: busyPause, Cause: errors.New("reading sign-out: too many come at once")}
}
