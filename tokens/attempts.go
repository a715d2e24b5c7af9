package tokens

import (
	"context"
	"sync"
	"time"
)

const (
	// keepAttempt is for how long a client that comes again with a code whose
	// exchange was not answered is known. It gets tokens while the code itself
	// would be good (codeLifetime); after that it is refused, and nothing ends.
	keepAttempt = time.Hour
	// maxKeptAttempts bounds what a node remembers, in about two megabytes.
	maxKeptAttempts = 1 << 14
)

// keptAttempts are the attempts of exchanges of codes whose clients were told to
// come again, or have hung up, without knowing what the store has decided. The
// same client is then served by the same attempt, so that the store takes the
// call for the one before. Of several exchanges of one code at once, one is under
// way: who comes again before the first is answered must not be taken for a thief.
type keptAttempts struct {
	mu   sync.Mutex
	kept map[CodeID]keptTry
	busy map[CodeID]chan struct{} // closed when the exchange under way is over
}

type keptTry struct {
	attempt Attempt
	until   time.Time
}

// begin waits until no other exchange of the code is under way, and takes the
// attempt of the one before, if that was not answered. Whoever has begun ends.
func (k *keptAttempts) begin(ctx context.Context, id CodeID) (a Attempt, again bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.busy[id] != nil {
		other := k.busy[id]
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			err = ctx.Err()
		}
		k.mu.Lock()
		if err != nil {
			return a, false, err
		}
	}
	if k.busy == nil {
		k.busy = make(map[CodeID]chan struct{})
	}
	k.busy[id] = make(chan struct{})
	kept, again := k.kept[id]
	delete(k.kept, id)
	return kept.attempt, again, nil
}

// end lets the next exchange of the code begin.
func (k *keptAttempts) end(id CodeID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.busy[id])
	delete(k.busy, id)
}

// keep keeps the attempt of a code.
func (k *keptAttempts) keep(id CodeID, a Attempt, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.kept) >= maxKeptAttempts {
		for id, kept := range k.kept {
			if now.After(kept.until) {
				delete(k.kept, id)
			}
		}
	}
	if k.kept == nil {
		k.kept = make(map[CodeID]keptTry)
	}
	if len(k.kept) < maxKeptAttempts {
		k.kept[id] = keptTry{a, now.Add(keepAttempt)}
	}
}
