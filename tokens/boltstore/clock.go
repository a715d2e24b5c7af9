package boltstore

import (
	"sync/atomic"
	"time"
)

// maxStepBack is how far the wall clock may be set back without being
// followed. Farther back it was wrong before, and to stay there would date
// every token in the future until the wall clock has caught up.
const maxStepBack = 2 * time.Second

// clock is the store's time: the wall clock in milliseconds, which a small
// correction does not make run backwards: a decision that is made after another
// is not dated before it.
type clock struct {
	wall func() time.Time
	last atomic.Int64 // milliseconds since 1970
}

// now returns the store's time.
func (c *clock) now() time.Time {
	ms := c.wall().UnixMilli()
	for {
		last := c.last.Load()
		if ms <= last && last-ms <= maxStepBack.Milliseconds() {
			return time.UnixMilli(last)
		}
		if c.last.CompareAndSwap(last, ms) {
			return time.UnixMilli(ms)
		}
	}
}
