package tokenstest

import (
	"context"
	"sync"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Events is an Observer that remembers.
type Events struct {
	oauth.NopObserver

	mu  sync.Mutex
	all []oauth.Event
}

// Happened remembers an event.
func (l *Events) Happened(_ context.Context, e oauth.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
}

// Count returns how many events of a kind there were.
func (l *Events) Count(kind oauth.EventKind) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.all {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
