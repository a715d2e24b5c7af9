package tokens

import (
	"context"
	"sync"
	"time"
)

const (
	// keepAttempt is for how long a client may come again with a code whose
	// exchange was not answered.
	keepAttempt = time.Hour
	// maxKeptAttempts bounds what a node remembers, in about two megabytes.
	maxKeptAttempts = 1 << 14
)

// keptAttempts are the attempts of exchanges of codes whose clients were told to
// come again, or have hung up, without knowing what the store has decided. The
// same client is then served by the same attempt, so that the store takes the
// call for the one before.
type keptAttempts struct {
	mu   sync.Mutex
	kept map[CodeID]keptTry
}

type keptTry struct {
	attempt Attempt
	until   time.Time
}

// take takes the attempt of a code. One caller has it: else two who come at once
// would each get tokens for one code.
func (k *keptAttempts) take(id CodeID) (Attempt, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kept, ok := k.kept[id]
	delete(k.kept, id)
	return kept.attempt, ok
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

// tryCode runs one exchange of a code, all of it by one attempt: the one before,
// where that was not answered.
func (i *Issuer) tryCode(ctx context.Context, ref reference, exchange func(Attempt) (*TokenResponse, error)) (*TokenResponse, error) {
	id := CodeKey(ref.key).ID()
	attempt, again := i.state.attempts.take(id)
	if !again {
		var err error
		if attempt, err = i.attempt(); err != nil {
			return nil, err
		}
	}
	res, err := exchange(attempt)
	if withoutAnswer(ctx, err) {
		i.state.attempts.keep(id, attempt, i.cfg.Clock())
	}
	return res, err
}
