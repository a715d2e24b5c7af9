package tokens

import (
	"context"
	"fmt"
	"time"
)

// What is done about a clock that differs from the store's, which dates all
// tokens. A slow one lets access tokens live longer on this node's routes, a
// fast one ends them early.
const (
	AlarmClockSkew = 5 * time.Second  // an event and a line in the log
	MaxClockSkew   = 60 * time.Second // Health reports TroubleClock: no load balancer should send requests here
)

// Outcomes of EventClockSkew.
const (
	ClockAhead  = "ahead"
	ClockBehind = "behind"
	ClockAgrees = "agrees" // again
)

// skewOf returns how far our clock is ahead of the store's, given when the
// store was asked and when it answered. The answer was made in between, so the
// error is at most half of what it took.
func skewOf(asked, answered, store time.Time) time.Duration {
	return asked.Add(answered.Sub(asked) / 2).Sub(store)
}

// clockError says what an operator should do about a skew, nil for a small one.
func clockError(skew time.Duration) error {
	word := ClockAhead
	if skew < 0 {
		word = ClockBehind
	}
	if skew.Abs() <= AlarmClockSkew {
		return nil
	}
	return fmt.Errorf("this node's clock is %s %s of the store's: set both by NTP", skew.Abs().Round(100*time.Millisecond), word)
}

// alarmClock tells of a skew when it becomes too large, and when it is over.
func (b *heartbeat) alarmClock(ctx context.Context, skew time.Duration) {
	cause := clockError(skew)
	if (cause != nil) == b.clockAlarmed {
		return
	}
	b.clockAlarmed = cause != nil
	outcome := ClockAgrees
	switch {
	case cause != nil && skew > 0:
		outcome = ClockAhead
	case cause != nil:
		outcome = ClockBehind
	}
	b.state.observer.Happened(ctx, Event{Kind: EventClockSkew, Outcome: outcome, Cause: cause})
}
