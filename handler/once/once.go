// Package once does once what a browser may send twice, such as a form whose button is
// clicked again, and gives the repeats of a short while the same answer.
//
// Begin reading at Answers.
package once

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Answers remembers what was done, by its ID, until that has expired, in bounded memory:
// two maps, of which the older is dropped in turn. Safe for concurrent use.
type Answers[T any] struct {
	repeat, lifetime time.Duration

	mu           sync.Mutex
	recent, past map[[16]byte]*done[T]
	since        time.Time // when recent was begun
}

// done is what was done, and its answer.
type done[T any] struct {
	over   chan struct{} // closed when it is answered
	failed bool
	at     time.Time // when it was answered
	answer T
}

// most bounds each of the maps. Only what people do who are signed in is remembered.
const most = 1 << 14

// ErrUsed is of what was done longer ago than a repeat is answered.
var ErrUsed = errors.New("doing once: it was done before")

// New makes Answers that are repeated for a while, and remembered for a lifetime at least.
func New[T any](repeat, lifetime time.Duration) *Answers[T] {
	return &Answers[T]{repeat: repeat, lifetime: lifetime, recent: make(map[[16]byte]*done[T]), past: make(map[[16]byte]*done[T])}
}

// Do answers what has an ID by decide, which is called once. The same that comes meanwhile
// or for a while after gets the same answer, later ones ErrUsed. After an error of decide
// the ID is as good as new. Errors: of decide and of ctx, and ErrUsed.
func (a *Answers[T]) Do(ctx context.Context, id [16]byte, clock func() time.Time, decide func() (T, error)) (answer T, err error) {
	for {
		t, first := a.take(id, clock())
		if first {
			return a.decide(id, t, clock, decide)
		}
		select {
		case <-t.over:
		case <-ctx.Done():
			return answer, ctx.Err()
		}
		switch {
		case t.failed:
			continue
		case clock().Sub(t.at) > a.repeat:
			return answer, ErrUsed
		}
		return t.answer, nil
	}
}

// decide lets the first that came decide.
func (a *Answers[T]) decide(id [16]byte, t *done[T], clock func() time.Time, decide func() (T, error)) (answer T, err error) {
	t.failed = true // also of a panic
	defer func() {
		if t.failed {
			a.forget(id)
		}
		close(t.over)
	}()
	answer, err = decide()
	if err != nil {
		return answer, err
	}
	t.failed, t.answer, t.at = false, answer, clock()
	return answer, nil
}

// take returns what is known of an ID, and whether it is used for the first time.
func (a *Answers[T]) take(id [16]byte, now time.Time) (t *done[T], first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.recent) >= most || now.Sub(a.since) > a.lifetime {
		a.past, a.recent, a.since = a.recent, make(map[[16]byte]*done[T]), now
	}
	for _, m := range []map[[16]byte]*done[T]{a.recent, a.past} {
		if t, used := m[id]; used {
			return t, false
		}
	}
	t = &done[T]{over: make(chan struct{})}
	a.recent[id] = t
	return t, true
}

// forget makes an ID as good as new.
func (a *Answers[T]) forget(id [16]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.recent, id)
	delete(a.past, id)
}
