package denylist

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	// feedWait is how long one read of the feed waits. A connection that is
	// gone without a word is noticed after it.
	feedWait = 2 * time.Second
	// The pauses between tries to reach the feed again.
	feedPause    = 50 * time.Millisecond
	feedPauseMax = time.Second
	// maxOwed bounds the lines that have yet to be written.
	maxOwed = 1000
)

// Settle is called after each store call that may deny something of a user, and
// before its answer goes out. When it has denied something, this node drops
// what it holds about the user and the feed tells the others. err is the
// call's: unless it is marked by storage.EndedNothing, the call may have denied
// something all the same; the client's next try then writes the line.
//
// The error is oauth.TemporarilyUnavailable: the call has failed, or the others could
// not be told. They will be, and find out by themselves within their MaxLag.
func (d *Denylist) Settle(ctx context.Context, user storage.UserTag, denied bool, err error) error {
	if (denied || err != nil) && !storage.HasEndedNothing(err) {
		d.Changed(user)
	}
	if denied && err == nil {
		err = d.Announce(ctx, storage.FeedLine{Kind: storage.FeedUser, User: user})
	}
	if err != nil {
		return oauth.Unavailable(err)
	}
	return nil
}

// ClientDenied is called after a client's watermark was set: this node loads it, and
// the feed tells the others.
func (d *Denylist) ClientDenied(ctx context.Context) error {
	err := d.Announce(ctx, storage.FeedLine{Kind: storage.FeedClient})
	if loading := d.ClientChanged(ctx); loading != nil {
		return fmt.Errorf("reading client watermarks: %w", loading)
	}
	return err
}

// Flush drops all verdicts after a failover: the store's answers may have changed
// without a line in the feed.
func (d *Denylist) Flush() { d.lost(storage.FeedFailover) }

// Announce tells the other nodes of a denial through the feed. A line that cannot be
// written is kept, and sent by the background later: the error says that others
// may not have heard yet.
func (d *Denylist) Announce(ctx context.Context, l storage.FeedLine) error {
	if err := d.store.Announce(ctx, l); err != nil {
		d.owed.add(l)
		return fmt.Errorf("telling other nodes what was denied: %w", err)
	}
	return nil
}

// debts are the lines that could not be written.
type debts struct {
	mu    sync.Mutex
	lines map[storage.FeedLine]struct{}
}

func (o *debts) add(l storage.FeedLine) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.lines) >= maxOwed {
		o.lines, l = nil, storage.FeedLine{Kind: storage.FeedAll}
	}
	if o.lines == nil {
		o.lines = make(map[storage.FeedLine]struct{})
	}
	o.lines[l] = struct{}{}
}

func (o *debts) take() map[storage.FeedLine]struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	o.lines = nil
	return lines
}

// payDebts writes what could not be written before.
func (d *Denylist) payDebts(ctx context.Context) {
	lines := d.owed.take()
	for l := range lines {
		if err := d.Announce(ctx, l); err != nil {
			break
		}
		delete(lines, l)
	}
	for l := range lines {
		d.owed.add(l)
	}
}

// FeedStats are the feed's counters and times.
type FeedStats struct {
	Lines   uint64                      // heard since the process began
	Flushes map[storage.FeedLoss]uint64 // how often all verdicts were dropped, and why
	Read    time.Time                   // when the feed last answered; zero for never
	Newest  time.Time                   // when the last line heard was written; zero for none
}

// feedCounters are FeedStats as they grow.
type feedCounters struct {
	lines, cuts, gaps, replaced, failovers atomic.Uint64
	read, newest                           atomic.Int64 // nanoseconds; 0 for never
}

// FeedStats returns the feed's counters and times.
func (d *Denylist) FeedStats() FeedStats {
	f := &d.feed
	return FeedStats{
		Lines: f.lines.Load(),
		Flushes: map[storage.FeedLoss]uint64{
			storage.FeedCut: f.cuts.Load(), storage.FeedGap: f.gaps.Load(), storage.FeedReplaced: f.replaced.Load(), storage.FeedFailover: f.failovers.Load(),
		},
		Read:   unixNano(f.read.Load()),
		Newest: unixNano(f.newest.Load()),
	}
}

func unixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// lost counts and drops all verdicts.
func (d *Denylist) lost(why storage.FeedLoss) {
	switch why {
	case storage.FeedWhole: // the first read: nothing was followed before
	case storage.FeedCut:
		d.feed.cuts.Add(1)
	case storage.FeedGap:
		d.feed.gaps.Add(1)
	case storage.FeedReplaced:
		d.feed.replaced.Add(1)
	case storage.FeedFailover:
		d.feed.failovers.Add(1)
	}
	d.forget()
}

// forget drops all verdicts.
func (d *Denylist) forget() {
	d.flushed.Add(1)
	d.heard()
}

// Follow hears the feed until ctx ends.
//
// It begins at the end of the feed and drops all verdicts then: what was denied
// before is in the answers to later questions. After a break it goes on where
// it was, and drops all verdicts as well, since nobody knows whether the server
// that answers now has all that the other one had.
func (d *Denylist) Follow(ctx context.Context) {
	var at storage.FeedPosition
	unheard, started := true, false
	wait := feedPause
	for ctx.Err() == nil {
		page, err := d.store.ReadFeed(ctx, at, feedWait)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			if !unheard || !started && wait == feedPause {
				d.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeFeed, Cause: err})
			}
			unheard = true
			background.Pause(ctx, wait)
			wait = min(2*wait, feedPauseMax)
			continue
		}
		d.feed.read.Store(d.clock().UnixNano())
		switch {
		case page.Loss != storage.FeedWhole:
			d.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.Outcome("feed_" + page.Loss), Cause: errFeedLoss})
			d.lost(page.Loss)
		case !started:
			d.lost(storage.FeedWhole)
		case unheard:
			d.lost(storage.FeedCut)
		}
		unhinge := unheard || page.Loss != storage.FeedWhole
		at, unheard, started, wait = page.Next, false, true, feedPause
		d.hear(ctx, page, unhinge)
		d.payDebts(ctx)
	}
}

var errFeedLoss = errors.New("lines of the feed were lost before they were read: this node asks the store again about every denial")

// hear drops what the lines of a page are about.
func (d *Denylist) hear(ctx context.Context, page storage.FeedPage, clients bool) {
	d.feed.lines.Add(uint64(len(page.Lines)))
	if !page.Newest.IsZero() {
		d.feed.newest.Store(page.Newest.UnixNano())
	}
	for _, l := range page.Lines {
		switch l.Kind {
		case storage.FeedUser:
			d.Changed(l.User)
		case storage.FeedClient:
			clients = true
		case storage.FeedKeys:
			d.keysChanged()
		default: // FeedAll, and what a newer version may say
			clients = true
			d.forget()
		}
	}
	if !clients {
		return
	}
	if err := d.ClientChanged(ctx); err != nil && ctx.Err() == nil {
		d.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeWatermarks, Cause: err})
	}
}
