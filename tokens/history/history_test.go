package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// slowHistories take notes when they are let.
type slowHistories struct {
	storage.Histories
	let   chan struct{} // closed: at once
	err   error
	mu    sync.Mutex
	notes []storage.Note
	most  int // notes in one call
}

func (s *slowHistories) AppendHistory(ctx context.Context, notes []storage.Note) error {
	select {
	case <-s.let:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.notes = append(s.notes, notes...)
	s.most = max(s.most, len(notes))
	return nil
}

func noteNumber(i int) (storage.FamilyID, Entry) {
	return storage.FamilyID{byte(i), byte(i >> 8)}, Entry{Kind: Replayed, Time: time.Unix(1_800_000_000, 0)}
}

// A store that hangs holds up nobody: what does not fit the queue is lost and counted.
func TestHistoryOfASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowHistories{let: make(chan struct{})}
		h := NewRecorder(store, time.Now)
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { h.Run(ctx) })
		const notes = 3 * historyQueue
		for i := range notes {
			family, e := noteNumber(i)
			h.Note(ctx, family, e) // would hang here
		}
		lost := h.dropped.Load()
		if lost < historyQueue {
			t.Errorf("%d of %d notes were dropped", lost, notes)
		}
		close(store.let)
		synctest.Wait()
		stop()
		done.Wait()
		if got := uint64(len(store.notes)); got+lost != notes || h.dropped.Load() != lost || store.most > historyBatch {
			t.Errorf("%d written, %d lost of %d, %d in one call", got, h.dropped.Load(), notes, store.most)
		}
	})
}

// What a store refuses is lost and counted.
func TestHistoryOfABrokenStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowHistories{let: make(chan struct{}), err: errors.New("broken")}
		close(store.let)
		h := NewRecorder(store, time.Now)
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { h.Run(ctx) })
		for i := range 10 {
			family, e := noteNumber(i)
			h.Note(ctx, family, e)
		}
		synctest.Wait()
		stop()
		done.Wait()
		if got := h.dropped.Load(); got != 10 {
			t.Errorf("%d dropped, want 10", got)
		}
	})
}

// At the end what is queued is written, but not for longer than a moment.
func TestHistoryAtTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name  string
		hangs bool
		want  int
	}{{"the store works", false, 500}, {"the store hangs", true, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowHistories{let: make(chan struct{})}
				if !tt.hangs {
					close(store.let)
				}
				h := NewRecorder(store, time.Now)
				for i := range 500 {
					family, e := noteNumber(i)
					h.Note(t.Context(), family, e)
				}
				ctx, stop := context.WithCancel(t.Context())
				stop()
				begun := time.Now()
				h.Run(ctx)
				if len(store.notes) != tt.want || time.Since(begun) > historyDrain {
					t.Errorf("%d written in %v", len(store.notes), time.Since(begun))
				}
			})
		})
	}
}

// Whatever a request says, a note stays within its bound, and reads back.
func TestHistoryEntryIsBounded(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 1e5), strings.Repeat("\x00", 1e5), strings.Repeat("\"<&>\u2028", 1e4), strings.Repeat("é", 1e5), "\xff\xfe" + strings.Repeat("\xff", 1e4)} {
		e := Entry{
			Time: time.UnixMilli(1_800_000_000_123), Kind: Replayed, By: EndedByOperator, User: storage.TagSubject("local|alice"),
			Client: text, Request: text, Address: text, Device: text, Age: 1000 * time.Hour,
		}
		note, err := e.encode()
		if err != nil || len(note) > storage.MaxNote {
			t.Errorf("%.10q: %d bytes, %v", text, len(note), err)
			continue
		}
		got, err := parseHistoryEntry(note)
		if err != nil || !got.Time.Equal(e.Time) || got.User != e.User || got.Age != e.Age || got.Kind != e.Kind {
			t.Errorf("%.10q: read back as %s, %v", text, fmt.Sprint(got), err)
		}
	}
}

// What says the same of one family again and again is noted a few times a day,
// and the counts are bounded.
func TestHistoryRepeats(t *testing.T) {
	var r repeatedNotes
	start := time.Unix(1_800_000_000, 0)
	takes := func(id storage.FamilyID, kind Kind, by string, after time.Duration) (taken int) {
		for range 50 {
			if r.take(id, Entry{Kind: kind, By: by, Time: start.Add(after)}) {
				taken++
			}
		}
		return taken
	}
	for _, tt := range []struct {
		name  string
		id    storage.FamilyID
		kind  Kind
		by    string
		after time.Duration
		want  int
	}{
		{"the first", storage.FamilyID{1}, Refused, "unknown", 0, historyRepeats},
		{"the same", storage.FamilyID{1}, Refused, "unknown", historyRepeatsFor - 1, 0},
		{"another reason", storage.FamilyID{1}, Refused, "expired", 0, historyRepeats},
		{"another kind", storage.FamilyID{1}, Replayed, "", 0, historyRepeats},
		{"another family", storage.FamilyID{2}, Refused, "unknown", 0, historyRepeats},
		{"the next day", storage.FamilyID{1}, Refused, "unknown", historyRepeatsFor, historyRepeats},
	} {
		if got := takes(tt.id, tt.kind, tt.by, tt.after); got != tt.want {
			t.Errorf("%s: %d notes, want %d", tt.name, got, tt.want)
		}
	}
	for i := range historyRepeatsHeld + 1 {
		r.take(storage.FamilyID{3, byte(i), byte(i >> 8), byte(i >> 16)}, Entry{Kind: Refused, Time: start})
	}
	if len(r.counts) > historyRepeatsHeld {
		t.Errorf("%d counts are held", len(r.counts))
	}
}

// The ring of what was served is bounded, and the newest are in it.
func TestHistoryServed(t *testing.T) {
	var s servedRequests
	number := func(i int) storage.RequestTag { return storage.RequestTag{byte(i), byte(i >> 8), byte(i >> 16)} }
	for i := range 2*historyServed + 10 {
		s.add(number(i), storage.FamilyID{byte(i)})
	}
	for _, tt := range []struct {
		i    int
		want bool
	}{{2*historyServed + 9, true}, {historyServed + 10, true}, {historyServed + 9, false}, {0, false}} {
		if id, found := s.family(number(tt.i)); found != tt.want || found && id != (storage.FamilyID{byte(tt.i)}) {
			t.Errorf("request %d: %v, found %t", tt.i, id, found)
		}
	}
	if len(s.ring) != historyServed {
		t.Errorf("%d are held", len(s.ring))
	}
}
