package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// heartbeat is the background work that watches over the store: whether it
// answers, is still the same, and agrees with our clock. One goroutine runs it.
type heartbeat struct {
	state        *State
	failovers    uint64 // that were seen to
	clockAlarmed bool
	heard        time.Time     // when the store has answered last
	store        time.Time     // what its clock said then
	lost         oauth.Outcome // how the store's data was lost, "" if it was not
}

// run asks until ctx ends.
func (b *heartbeat) run(ctx context.Context) {
	tick := time.NewTicker(storage.BeatEvery)
	defer tick.Stop()
	for {
		b.beat(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// beat asks once and does what follows from the answer.
func (b *heartbeat) beat(ctx context.Context) {
	s := b.state
	asked := s.clock()
	answer, err := s.Store.Beat(ctx, storage.BeatRequest{Node: s.node, Settled: s.Owed.settled()})
	if ctx.Err() != nil {
		return
	}
	s.Owed.beaten(err == nil)
	answered := s.clock()
	h := Health{Checked: answered, ClockSkew: s.health.Load().ClockSkew, Born: s.born(), Failovers: b.failovers}
	if err == nil {
		h.ClockSkew = skewOf(asked, answered, answer.Now)
		s.correct(h.ClockSkew)
		b.alarmClock(ctx, h.ClockSkew, answer.ClockDoubt)
		b.noticeStep(ctx, answer.Now)
		b.noticeFailover(ctx, answer.Failovers)
		err = b.noticeBirth(ctx, answer)
		h.Born, h.Failovers = s.born(), b.failovers
	}
	b.noticeLoss(ctx, err)
	h.Trouble, h.Cause = troubleOf(err), err
	switch {
	case err != nil:
	case answer.Unsafe != nil:
		h.Trouble, h.Cause = oauth.TroubleUnsafe, answer.Unsafe
	case h.ClockSkew.Abs() > MaxClockSkew:
		h.Trouble, h.Cause = oauth.TroubleClock, cmp.Or(answer.ClockDoubt, clockError(h.ClockSkew))
	}
	s.setHealth(ctx, h)
}

// forgetDenials drops what is held about denials, what this node has ended, and
// what the store was given to keep: the feed that would tell of
// changes may have lost its end. Watermarks that can't be read now are read by
// the denylist's own work, and never believed for longer than MaxLag.
func (s *State) forgetDenials(ctx context.Context) {
	s.Denylist.Flush()
	s.Grants.doubt()
	s.ends.forget()
	_ = s.Denylist.ClientChanged(ctx)
}

// noticeLoss reports, once, that the store's data is no longer where it was opened.
func (b *heartbeat) noticeLoss(ctx context.Context, err error) {
	was := b.lost
	switch {
	case errors.Is(err, storage.ErrStoreRemoved):
		b.lost = oauth.StoreRemoved
	case errors.Is(err, storage.ErrStoreReplaced):
		b.lost = oauth.StoreReplaced
	default:
		b.lost = ""
	}
	if b.lost != "" && b.lost != was {
		b.state.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreNew, Outcome: b.lost, Cause: err})
	}
}

// noticeFailover reports a failover, once for any number between two beats.
func (b *heartbeat) noticeFailover(ctx context.Context, failovers uint64) {
	if failovers == b.failovers {
		return
	}
	b.failovers = failovers
	b.state.forgetDenials(ctx)
	b.state.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreFailover, Outcome: oauth.OutcomeOtherPrimary, Cause: errFailedOver})
}

var (
	errFailedOver = errors.New("another server has become the primary of the store, or it was restarted: its last writes may be lost; this node has repeated its own")
	errBegun      = errors.New("the store was missing, but its secret was there: its data was lost, and everybody has to sign in again; if there is a backup, stop Caddy and restore both files")
	errEmptied    = errors.New("the store has lost its birth mark: it was emptied or replaced; everybody has to sign in again, and earlier tokens are no longer valid")
)

// noticeBirth opens the store again if it is not the one that was opened. Access
// tokens from before are refused from this moment on, the keys that signed them
// are gone with the store, and refresh tokens are unknown to it.
func (b *heartbeat) noticeBirth(ctx context.Context, answer storage.Beat) error {
	s := b.state
	if answer.Born.Equal(s.born()) {
		if answer.Born.After(answer.Now.Add(MaxClockSkew)) {
			s.Denylist.RefuseBefore(time.Time{}) // it was born under a clock that was ahead
		}
		s.lost.Store(nil)
		return nil
	}
	floor := answer.Born
	if floor.IsZero() {
		floor = answer.Now
	}
	s.Denylist.RefuseBefore(floor)
	s.opening.Lock()
	defer s.opening.Unlock()
	if err := s.load(ctx, s.settings.Load()); err != nil {
		err = fmt.Errorf("opening the store, which has lost its birth mark: %w", err)
		s.lost.Store(&err) // until it can be opened nothing is decided by it
		return err
	}
	s.lost.Store(nil)
	return nil
}

// adoptBirth notes when the store was born and tells if that has changed.
func (s *State) adoptBirth(ctx context.Context, born time.Time) {
	before := s.bornAt.Swap(born.UnixMilli())
	s.Denylist.RefuseBefore(born)
	if before != 0 && before != born.UnixMilli() {
		s.forgetDenials(ctx)
		s.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreNew, Outcome: oauth.StoreEmptied, Cause: errEmptied})
	}
}

// born returns when the store was first opened, zero before it is known.
func (s *State) born() time.Time {
	if ms := s.bornAt.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// setHealth keeps what was found out and tells of a change. That the store is
// not open yet is no change.
func (s *State) setHealth(ctx context.Context, h Health) {
	was := s.health.Load()
	h.Since = was.Since
	if was.Trouble != h.Trouble {
		h.Since = h.Checked
		if was.Cause != errNotOpened { //nolint:errorlint // the one shared value
			s.observer.Happened(ctx, oauth.Event{Kind: oauth.EventHealth, Outcome: healthOutcome(h.Trouble), Cause: h.Cause})
		}
	}
	s.health.Store(&h)
}

// healthOutcome is the outcome of oauth.EventHealth: the trouble, or "ok".
func healthOutcome(t oauth.Trouble) oauth.Outcome {
	if t == "" {
		return oauth.OutcomeOK
	}
	return oauth.Outcome(t)
}
