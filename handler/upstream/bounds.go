package upstream

import (
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// The bounds of the exchanges of one login (M2): the provider would throttle this
// gateway, and with it everybody.
const (
	maxExchanges   = 32 // at once
	maxFailures    = 20 // in breakerPeriod
	breakerPeriod  = 10 * time.Second
	breakerPause   = 10 * time.Second
	exchangesAfter = time.Second // when to try again where too many are at once
)

// bounds counts exchanges.
type bounds struct {
	mu       sync.Mutex
	running  int
	failures []time.Time // the latest, the oldest first; at most maxFailures
	until    time.Time   // nothing passes before
}

// enter lets an exchange begin, or refuses it.
func (b *bounds) enter(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.until.Sub(now); wait > 0 {
		return &login.FailedError{
			Failure: login.FailedBusy, Reason: reasonBusy, After: wait,
			Cause: fmt.Errorf("redeeming code: %d exchanges have failed within %s", maxFailures, breakerPeriod),
		}
	}
	if b.running >= maxExchanges {
		return &login.FailedError{
			Failure: login.FailedBusy, Reason: reasonBusy, After: exchangesAfter,
			Cause: fmt.Errorf("redeeming code: there are %d exchanges already", maxExchanges),
		}
	}
	b.running++
	return nil
}

// leave ends an exchange.
func (b *bounds) leave(now time.Time, good bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	if good {
		return
	}
	if len(b.failures) == maxFailures {
		b.failures = b.failures[1:]
	}
	b.failures = append(b.failures, now)
	if len(b.failures) == maxFailures && now.Sub(b.failures[0]) < breakerPeriod {
		b.until, b.failures = now.Add(breakerPause), nil
	}
}
