package state

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// What is done about a clock that differs from the store's, which dates all
// tokens. This node's routes take own tokens by the store's time, as far as it is
// known (State.StoreTime). Whatever else goes by this node's clock does not fit it.
const (
	AlarmClockSkew = 5 * time.Second     // an event and a line in the log
	MaxClockSkew   = oauth.DefaultLeeway // Health reports TroubleClock: others take its tokens for expired, or for not yet valid
)

// skewOf returns how far our clock is ahead of the store's, given when the
// store was asked and when it answered. The answer was made in between, so the
// error is at most half of what it took.
func skewOf(asked, answered, store time.Time) time.Duration {
	return asked.Add(answered.Sub(asked) / 2).Sub(store)
}

// clockError says what an operator should do about a skew, nil for a small one.
func clockError(skew time.Duration) error {
	word := oauth.ClockAhead
	if skew < 0 {
		word = oauth.ClockBehind
	}
	if skew.Abs() <= AlarmClockSkew {
		return nil
	}
	return fmt.Errorf("this node's clock is %s %s of the store's: set both by NTP", skew.Abs().Round(100*time.Millisecond), word)
}

// alarmClock tells of a skew when it becomes too large, and when it is over.
func (b *heartbeat) alarmClock(ctx context.Context, skew time.Duration, doubt error) {
	cause := clockError(skew)
	if cause != nil && doubt != nil {
		cause = doubt // it knows more
	}
	if (cause != nil) == b.clockAlarmed {
		return
	}
	b.clockAlarmed = cause != nil
	outcome := oauth.ClockAgrees
	switch {
	case cause != nil && skew > 0:
		outcome = oauth.ClockAhead
	case cause != nil:
		outcome = oauth.ClockBehind
	}
	b.state.observer.Happened(ctx, oauth.Event{Kind: oauth.EventClockSkew, Outcome: outcome, Cause: cause})
}

// noticeStep tells when the store's time has jumped between two beats.
func (b *heartbeat) noticeStep(ctx context.Context, store time.Time) {
	step := store.Sub(b.store) - time.Since(b.heard) // which no setting of a clock moves
	first := b.heard.IsZero()
	b.heard, b.store = time.Now(), store
	if first || step.Abs() <= MaxClockSkew {
		return
	}
	b.state.observer.Happened(ctx, oauth.Event{
		Kind: oauth.EventClockSkew, Outcome: oauth.ClockSet,
		Cause: fmt.Errorf("the store's clock was set by %s: it was wrong before, or is wrong now; what is stored until a certain time lasts that much shorter or longer", step.Round(100*time.Millisecond)),
	})
}

// correct remembers a skew that is not only the noise of its measurement.
func (s *State) correct(skew time.Duration) {
	if skew.Abs() <= AlarmClockSkew {
		skew = 0
	}
	s.skew.Store(int64(skew))
}

// StoreTime returns the store's clock, by which the tokens of this gateway are
// dated: a clock of this node, nil for time.Now, and what is known of the
// difference. So a node whose clock is wrong still takes what is good.
func (s *State) StoreTime(clock func() time.Time) func() time.Time {
	if clock == nil {
		clock = time.Now
	}
	return func() time.Time { return clock().Add(-time.Duration(s.skew.Load())) }
}
