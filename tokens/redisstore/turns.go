package redisstore

import (
	"context"
	"sync"
)

// turns let a number of callers do something at a place at once; the others wait for as
// long as their contexts last.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{}
}

// take waits for one of many turns at a place. The caller gives it back.
func (t *turns) take(ctx context.Context, place string, many int) (giveBack func(), err error) {
	t.mu.Lock()
	taken := t.taken[place]
	if taken == nil {
		if t.taken == nil {
			t.taken = make(map[string]chan struct{})
		}
		taken = make(chan struct{}, many)
		t.taken[place] = taken
	}
	t.mu.Unlock()
	select {
	case taken <- struct{}{}:
		return func() { <-taken }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
