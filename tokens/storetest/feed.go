package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var feedCases = []testCase{
	{"lines in order", feedOrder},
	{"waits for a line", feedWaits},
	{"nothing comes", feedQuiet},
	{"stops waiting", feedStops},
	{"a password that was changed", feedPassword},
}

// feedWait is long enough for a line to come, on a machine that has other work.
const feedWait = 5 * time.Second

// feedEnd returns the end of the feed.
func (f *fixture) feedEnd() storage.FeedPosition {
	f.t.Helper()
	page := Must(f.s.ReadFeed(f.ctx(), storage.FeedPosition{}, feedWait))(f.t)
	if len(page.Lines) != 0 || page.Loss != storage.FeedWhole || page.Next == (storage.FeedPosition{}) {
		f.t.Fatalf("the end of the feed: %+v", page)
	}
	return page.Next
}

// hear reads n lines.
func (f *fixture) hear(at storage.FeedPosition, n int) ([]storage.FeedLine, storage.FeedPosition) {
	f.t.Helper()
	var lines []storage.FeedLine
	for len(lines) < n {
		page := Must(f.s.ReadFeed(f.ctx(), at, feedWait))(f.t)
		if page.Loss != storage.FeedWhole || len(page.Lines) == 0 || page.Newest.IsZero() {
			f.t.Fatalf("after %d of %d lines: %+v", len(lines), n, page)
		}
		lines, at = append(lines, page.Lines...), page.Next
	}
	return lines, at
}

func feedOrder(t *testing.T, f *fixture) {
	NoError(t, f.s.Announce(f.ctx(), storage.FeedLine{Kind: storage.FeedAll})) // before the end
	at := f.feedEnd()
	want := []storage.FeedLine{
		{Kind: storage.FeedUser, User: f.user},
		{Kind: storage.FeedClient},
		{Kind: storage.FeedAll},
		{Kind: storage.FeedUser, User: random[storage.UserTag]()},
		{Kind: storage.FeedUser, User: f.user},
	}
	for _, l := range want[:3] {
		NoError(t, f.s.Announce(f.ctx(), l))
	}
	got, middle := f.hear(at, 3)
	for _, l := range want[3:] {
		NoError(t, f.s.Announce(f.ctx(), l))
	}
	rest, _ := f.hear(middle, 2)
	again, end := f.hear(at, 5) // a position can be read from again
	for i, l := range append(got, rest...) {
		if l != want[i] || again[i] != want[i] {
			t.Errorf("line %d: %+v, then %+v, want %+v", i, l, again[i], want[i])
		}
	}
	if newest := f.feedEnd(); newest != end {
		t.Errorf("behind the lines is %+v, the end is %+v", end, newest)
	}
}

func feedWaits(t *testing.T, f *fixture) {
	at := f.feedEnd()
	reading := make(chan struct{})
	heard := make(chan storage.FeedPage, 1)
	go func() {
		close(reading)
		page, err := f.s.ReadFeed(f.ctx(), at, feedWait)
		if err != nil {
			t.Errorf("reading the feed: %v", err)
		}
		heard <- page
	}()
	<-reading
	NoError(t, f.s.Announce(f.ctx(), storage.FeedLine{Kind: storage.FeedUser, User: f.user}))
	if page := <-heard; len(page.Lines) != 1 || page.Lines[0].User != f.user || page.Loss != storage.FeedWhole {
		t.Errorf("page %+v", page)
	}
}

func feedQuiet(t *testing.T, f *fixture) {
	at := f.feedEnd()
	for range 2 {
		page := Must(f.s.ReadFeed(f.ctx(), at, 20*time.Millisecond))(t)
		if len(page.Lines) != 0 || page.Next != at || page.Loss != storage.FeedWhole {
			t.Errorf("a page of nothing: %+v, want %+v", page, at)
		}
	}
}

func feedStops(t *testing.T, f *fixture) {
	at := f.feedEnd()
	ctx, cancel := context.WithCancel(f.ctx())
	done := make(chan error, 1)
	go func() {
		_, err := f.s.ReadFeed(ctx, at, time.Hour)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a reader that was told to stop: %v", err)
		}
	case <-time.After(feedWait):
		t.Fatal("a reader did not stop")
	}
	f.feedEnd() // the next reader finds the feed
}

// feedPassword: a login says whether it has ended what was before, and says it
// again when the call is sent again.
func feedPassword(t *testing.T, f *fixture) {
	if again := f.login(); again.EndedOthers {
		t.Error("a login with the same password has ended the others")
	}
	id := random8[storage.SessionID]()
	for range 2 {
		changed := f.login(func(r *storage.SessionRequest) { r.ID, r.Profile.Fingerprint = id, storage.Fingerprint{9} })
		if !changed.EndedOthers {
			t.Error("a login with another password does not tell that it has ended the others")
		}
	}
	if again := f.login(password(storage.Fingerprint{9})); again.EndedOthers {
		t.Error("the login after it has ended the others")
	}
}
