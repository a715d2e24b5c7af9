package redisstore

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// follower reads the feed as a node does, whatever happens to the servers.
type follower struct {
	writer *Store

	mu     sync.Mutex
	heard  map[storage.FeedLine]time.Time
	cuts   int
	losses int
}

// follow begins at the end of the feed and reads until the test ends.
func follow(t *testing.T, o Options) *follower {
	t.Helper()
	f := &follower{heard: map[storage.FeedLine]time.Time{}}
	var reader *Store
	for _, s := range []**Store{&f.writer, &reader} {
		*s = New(o)
		if _, err := (*s).Open(t.Context(), openRequest); err != nil {
			t.Fatal(err)
		}
	}
	first, err := reader.ReadFeed(t.Context(), storage.FeedPosition{}, time.Second)
	mustDo(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx, reader, first.Next) }()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = reader.Close()
		_ = f.writer.Close()
	})
	return f
}

func (f *follower) run(ctx context.Context, s *Store, at storage.FeedPosition) {
	for ctx.Err() == nil {
		page, err := s.ReadFeed(ctx, at, 500*time.Millisecond)
		f.mu.Lock()
		switch {
		case err != nil:
			f.cuts++
		default:
			at = page.Next
			if page.Loss != storage.FeedWhole {
				f.losses++
			}
			for _, l := range page.Lines {
				f.heard[l] = time.Now()
			}
		}
		f.mu.Unlock()
		if err != nil {
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// hears demands that lines arrive, soon after they could be written.
func (f *follower) hears(t *testing.T, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		var written time.Time
		waitFor(t, "a line can be written", func() bool {
			err := f.writer.Announce(t.Context(), lineOf(n))
			written = time.Now()
			return err == nil
		})
		var heard time.Time
		waitFor(t, "a line is heard", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			heard = f.heard[lineOf(n)]
			return !heard.IsZero()
		})
		t.Logf("line %d was heard %v after it was written", n, heard.Sub(written).Round(10*time.Microsecond))
	}
}

func (f *follower) state() (cuts, losses int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cuts, f.losses
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// testFeedMoves moves the slot of the feed to another server: its readers follow.
func testFeedMoves(t *testing.T, nodes *redistest.Nodes, f *follower) {
	f.hears(t, 100, 101)
	slot := nodes.Slot(f.writer.feedKeys()[1])
	from := nodes.Owner(slot)
	nodes.Move(t, slot, from, (from+1)%3, func() {})
	f.hears(t, 102, 103)
	if cuts, losses := f.state(); cuts == 0 || losses != 0 {
		t.Errorf("%d cuts and %d losses, want to go on where it was", cuts, losses)
	}
	nodes.Move(t, slot, (from+1)%3, from, func() {})
	f.hears(t, 104)
}
