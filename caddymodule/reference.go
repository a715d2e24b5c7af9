package caddymodule

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// drainTimeout is how long requests of a configuration that has ended keep its
// store open: a client that sends a body byte by byte must not keep it open forever.
const drainTimeout = 30 * time.Second

// reference is one configuration's reference to shared state. Caddy ends a
// configuration without waiting for its requests, so the last of those that are
// under way gives the reference back.
type reference struct {
	giveBack func() error
	trouble  func(error) // is told what nobody waits for

	holders atomic.Int64 // the configuration, and each request under way; none is left when it is given back
}

// draining are the references of configurations that ended before their requests did.
var draining sync.Map

func newReference(giveBack func() error, trouble func(error)) *reference {
	r := &reference{giveBack: giveBack, trouble: trouble}
	r.holders.Store(1)
	return r
}

// begin notes a request that is under way. One that begins when the reference is
// given back may find the store closed, and is answered 503.
func (r *reference) begin() (end func()) {
	for {
		n := r.holders.Load()
		if n <= 0 {
			return func() {}
		}
		if r.holders.CompareAndSwap(n, n+1) {
			return r.end
		}
	}
}

// end notes that a request has ended. Its client does not wait while a store
// closes, but a process that is about to exit does.
func (r *reference) end() {
	switch {
	case r.holders.Add(-1) != 0:
	case caddy.Exiting():
		r.late(r.giveBack)
	default:
		go background.Safely(nil, func() { r.late(r.giveBack) })()
	}
}

// release ends the configuration's own part. When Caddy exits it has waited for
// the requests as long as it was told to, so nothing is left to them.
func (r *reference) release() error {
	if caddy.Exiting() {
		err := r.cut()
		draining.Range(func(other, _ any) bool {
			err = errors.Join(err, other.(*reference).cut())
			return true
		})
		return err
	}
	draining.Store(r, nil)
	if r.holders.Add(-1) == 0 {
		draining.Delete(r)
		return r.giveBack()
	}
	time.AfterFunc(drainTimeout, background.Safely(nil, func() { r.late(r.cut) }))
	return nil
}

// cut gives the reference back, whoever still holds it.
func (r *reference) cut() error {
	draining.Delete(r)
	if r.holders.Swap(0) <= 0 {
		return nil
	}
	return r.giveBack()
}

// late does what nobody waits for.
func (r *reference) late(do func() error) {
	if err := background.Try(do); err != nil {
		r.trouble(fmt.Errorf("closing the store: %w", err))
	}
}
