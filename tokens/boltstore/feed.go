package boltstore

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// feedKept is how many lines the feed keeps.
const feedKept = 1024

// feed is the feed of a store that one process has for itself: it lives in
// memory, since nobody else reads it.
type feed struct {
	mu     sync.Mutex
	number uint64 // of the newest line
	lines  []storage.FeedLine
	newest time.Time
	news   chan struct{} // closed and replaced at each line
}

// feedBorn marks positions of this feed; it dies with the process, as they do.
const feedBorn = 1

// Announce implements storage.Feed.
func (s *Store) Announce(ctx context.Context, l storage.FeedLine) error {
	return s.call(ctx, "announce", func(*file) error {
		s.feed.append(l, s.clock.now())
		return nil
	})
}

// ReadFeed implements storage.Feed.
func (s *Store) ReadFeed(ctx context.Context, after storage.FeedPosition, wait time.Duration) (storage.FeedPage, error) {
	if err := s.run(ctx, func(*file) error { return nil }); err != nil {
		return storage.FeedPage{}, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		page, news := s.feed.page(after)
		if news == nil {
			return page, nil
		}
		select {
		case <-news:
		case <-timer.C:
			return page, nil
		case <-ctx.Done():
			return storage.FeedPage{}, ctx.Err()
		}
	}
}

func (f *feed) append(l storage.FeedLine, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.lines) == feedKept {
		f.lines = append(f.lines[:0], f.lines[feedKept/2:]...)
	}
	f.lines = append(f.lines, l)
	f.number++
	f.newest = now
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// page returns the lines behind a position. While there are none, news is
// closed when one comes.
func (f *feed) page(after storage.FeedPosition) (page storage.FeedPage, news <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	page.Next = storage.FeedPosition{Born: feedBorn, Number: f.number}
	switch behind := f.number - after.Number; {
	case after == storage.FeedPosition{}:
		return page, nil
	case after.Number > f.number:
		page.Loss = storage.FeedReplaced
		return page, nil
	case behind == 0:
		if f.news == nil {
			f.news = make(chan struct{})
		}
		return page, f.news
	default:
		if behind > uint64(len(f.lines)) {
			page.Loss, behind = storage.FeedGap, uint64(len(f.lines))
		}
		page.Lines = append(page.Lines, f.lines[uint64(len(f.lines))-behind:]...)
		page.Newest = f.newest
		return page, nil
	}
}
