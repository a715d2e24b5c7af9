package state

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	// keepAttempt is for how long a client that comes again with a code whose
	// exchange was not answered is known. It gets tokens while the code itself
	// would be good (tokens.codeLifetime); after that it is refused, and nothing ends.
	keepAttempt = time.Hour
	// maxKeptAttempts bounds what a node remembers, in about two megabytes.
	maxKeptAttempts = 1 << 14
)

// CodeAttempts are the attempts of exchanges of codes whose clients were told to
// come again, or have hung up, without knowing what the store has decided. The
// same client is then served by the same attempt, so that the store takes the
// call for the one before. Of several exchanges of one code at once, one is under
// way: a client that comes again before the first is answered is no thief.
type CodeAttempts struct {
	mu   sync.Mutex
	kept map[storage.CodeID]keptTry
	busy map[storage.CodeID]chan struct{} // closed when the exchange under way is over
}

type keptTry struct {
	attempt storage.Attempt
	until   time.Time
}

// Begin waits until no other exchange of the code is under way, and takes the
// attempt of the one before, if that was not answered. Each Begin needs its End.
func (k *CodeAttempts) Begin(ctx context.Context, id storage.CodeID) (a storage.Attempt, again bool, err error) {
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
		k.busy = make(map[storage.CodeID]chan struct{})
	}
	k.busy[id] = make(chan struct{})
	kept, again := k.kept[id]
	delete(k.kept, id)
	return kept.attempt, again, nil
}

// End lets the next exchange of the code begin.
func (k *CodeAttempts) End(id storage.CodeID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.busy[id])
	delete(k.busy, id)
}

// Keep keeps the attempt of a code.
func (k *CodeAttempts) Keep(id storage.CodeID, a storage.Attempt, now time.Time) {
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
		k.kept = make(map[storage.CodeID]keptTry)
	}
	if len(k.kept) < maxKeptAttempts {
		k.kept[id] = keptTry{a, now.Add(keepAttempt)}
	}
}
