package boltstore

import (
	"fmt"
	"sync"
	"time"
)

const (
	// maxStepBack is how far the clock may run backwards without being followed:
	// a decision that is made after another is not dated before it.
	maxStepBack = 2 * time.Second
	// maxStep is how far the machine's clock may be set at once without a doubt.
	maxStep = 10 * time.Second
	// believeAfter is how long the machine's clock must have stayed where it has
	// jumped to until the store follows.
	believeAfter = 10 * time.Minute
	// longGap is how far the store may be set forward, or may have been closed,
	// before what has run out by that is kept for keepAfterGap.
	longGap      = time.Hour
	keepAfterGap = 24 * time.Hour
)

// clock is the store's time in milliseconds: the machine's, as long as that runs
// as fast as time does. When it was set by more than maxStep, most likely it is
// wrong or was until now, and nobody can tell which. So the store goes on by its
// own time, which only counts what has passed, until the machine's has stayed
// where it is for believeAfter: nobody's login ends, and nothing is dated in the
// future, because of a clock that is wrong for a minute.
type clock struct {
	wall   func() time.Time
	mono   func() time.Duration // what has passed since some start, whatever the wall clock says; nil for a wall clock that is never set
	asleep func() time.Duration // how long of it the machine has slept, which mono does not count

	mu     sync.Mutex
	at     time.Time // the store's time when
	atMono time.Duration
	doubt  *doubt // of the wall clock
	slept  time.Duration
	last   int64 // milliseconds since 1970, of the newest answer
	gap    time.Duration
	gapEnd time.Duration // by mono
}

// doubt is a wall clock that has jumped.
type doubt struct {
	off   time.Duration // how far the wall clock is ahead of the store's
	since time.Duration // by mono
}

// systemClock is that of the machine.
func systemClock() clock {
	begun := time.Now()
	return clock{wall: time.Now, mono: func() time.Duration { return time.Since(begun) }, asleep: asleep(begun)}
}

// begin makes the clock that of a store that was last used at a time.
func (c *clock) begin(last time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall := c.wall()
	c.at, c.last, c.doubt = wall, 0, nil
	if c.mono == nil || last.IsZero() {
		return
	}
	c.atMono = c.mono()
	switch off := wall.Sub(last); {
	case off < -maxStep:
		c.at, c.doubt = last, &doubt{off: off, since: c.atMono}
	case off < 0:
		c.last = last.UnixMilli()
	case off > longGap:
		c.skip(off)
	}
}

// now returns the store's time.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	ms := c.at.UnixMilli()
	if ms > c.last || c.last-ms > maxStepBack.Milliseconds() {
		c.last = ms
	}
	return time.UnixMilli(c.last)
}

// look sets at.
func (c *clock) look() {
	wall := c.wall()
	if c.mono == nil {
		c.at = wall
		return
	}
	mono := c.mono()
	expected := c.at.Add(mono - c.atMono)
	off := wall.Sub(expected)
	c.atMono = mono
	switch {
	case c.at.IsZero(), off.Abs() <= maxStep:
		c.at, c.doubt = wall, nil
		return
	case c.doubt == nil || (off-c.doubt.off).Abs() > maxStep:
		slept := c.asleep() - c.slept
		c.slept += slept
		if (off - slept).Abs() <= maxStep {
			c.at, c.doubt = wall, nil // the machine has slept
			return
		}
		c.doubt = &doubt{off: off, since: mono}
	case mono-c.doubt.since >= believeAfter:
		c.at, c.doubt = wall, nil
		c.skip(off)
		return
	}
	c.at = expected
}

// skip notes that the store's time has jumped.
func (c *clock) skip(off time.Duration) {
	if c.atMono >= c.gapEnd {
		c.gap = 0
	}
	c.gap = max(0, c.gap+off)
	c.gapEnd = c.atMono + keepAfterGap
}

// settled returns the time by which what has run out may be removed: a day long
// it takes no account of a jump that may turn out to be wrong after all.
func (c *clock) settled() time.Time {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.atMono < c.gapEnd {
		return now.Add(-c.gap)
	}
	return now
}

// doubted returns why the store does not go by the machine's clock, nil if it does.
func (c *clock) doubted() error {
	c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doubt == nil {
		return nil
	}
	word, off := "ahead", c.doubt.off
	if off < 0 {
		word = "behind"
	}
	return fmt.Errorf("the clock of this machine is %s %s of where the store's was, and the store goes on by its own; set it by NTP, "+
		"or if it is right, wait: the store follows in %s", off.Abs().Round(100*time.Millisecond), word,
		(believeAfter - (c.atMono - c.doubt.since)).Round(time.Second))
}
