package boltstore

import (
	"sync/atomic"
	"time"
)

// clock is the store's time: the wall clock in milliseconds, which never runs
// backwards within a process. A decision that is made after another is never
// dated before it, whatever NTP does.
type clock struct {
	wall func() time.Time
	last atomic.Int64 // milliseconds since 1970
}

// now returns the store's time.
func (c *clock) now() time.Time {
	ms := c.wall().UnixMilli()
	for {
		last := c.last.Load()
		if ms <= last {
			return time.UnixMilli(last)
		}
		if c.last.CompareAndSwap(last, ms) {
			return time.UnixMilli(ms)
		}
	}
}
