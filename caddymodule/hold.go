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

// holdAtMost is for how long requests of a configuration that has ended keep its
// store open: who sends a body byte by byte must not hold it for ever.
const holdAtMost = 30 * time.Second

// hold is one configuration's reference to shared state. Caddy ends a
// configuration without waiting for its requests, so the last of those that are
// under way gives the reference back.
type hold struct {
	giveBack func() error
	trouble  func(error) // is told what nobody waits for

	holders atomic.Int64 // the configuration, and each request under way; none is left when it is given back
}

// lingering are the holds of configurations that have ended before their requests.
var lingering sync.Map

func newHold(giveBack func() error, trouble func(error)) *hold {
	h := &hold{giveBack: giveBack, trouble: trouble}
	h.holders.Store(1)
	return h
}

// begin notes a request that is under way. One that begins when the reference is
// given back may find the store closed, and is answered 503.
func (h *hold) begin() (end func()) {
	for {
		n := h.holders.Load()
		if n <= 0 {
			return func() {}
		}
		if h.holders.CompareAndSwap(n, n+1) {
			return h.end
		}
	}
}

// end notes that a request has ended. Its client does not wait while a store
// closes, but a process that is about to exit does.
func (h *hold) end() {
	switch {
	case h.holders.Add(-1) != 0:
	case caddy.Exiting():
		h.late(h.giveBack)
	default:
		go background.Safely(nil, func() { h.late(h.giveBack) })()
	}
}

// release ends the configuration's own part. When Caddy exits it has waited for
// the requests as long as it was told to, so nothing is left to them.
func (h *hold) release() error {
	if caddy.Exiting() {
		err := h.cut()
		lingering.Range(func(other, _ any) bool {
			err = errors.Join(err, other.(*hold).cut())
			return true
		})
		return err
	}
	lingering.Store(h, nil)
	if h.holders.Add(-1) == 0 {
		lingering.Delete(h)
		return h.giveBack()
	}
	time.AfterFunc(holdAtMost, background.Safely(nil, func() { h.late(h.cut) }))
	return nil
}

// cut gives the reference back, whoever still holds it.
func (h *hold) cut() error {
	lingering.Delete(h)
	if h.holders.Swap(0) <= 0 {
		return nil
	}
	return h.giveBack()
}

// late does what nobody waits for.
func (h *hold) late(do func() error) {
	if err := background.Try(do); err != nil {
		h.trouble(fmt.Errorf("closing the store: %w", err))
	}
}
