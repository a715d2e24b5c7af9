package state

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	settleTime     = 5 * time.Second        // of one call
	settleEvery    = 250 * time.Millisecond // while the store can't be told
	settleFailures = 3                      // in a row, after which a pass ends
	stuckAfter     = 10 * time.Minute       // see OwedAnswers.settled
	maxOwedAnswers = 1 << 17                // about thirty megabytes
	maxAttempts    = 16                     // of one presentation
)

// presentation is a generation that was presented.
type presentation struct {
	family     storage.FamilyID
	generation uint32
}

// OwedAnswers are the presentations whose clients were told to come again, because this
// node did not hear what the store decided, or have hung up.
// They are kept until the store has heard of them. Of more than maxOwedAnswers,
// the first ones are kept: those that follow in an outage never reach the store.
type OwedAnswers struct {
	store storage.Families
	woken chan struct{}

	mu       sync.Mutex
	owed     map[presentation]*owedAnswer
	answered bool // by the store, to the last beat
}

// owedAnswer is one of them.
type owedAnswer struct {
	storage.UnansweredRequest

	stuck time.Time // since when the store, which answers others, can't be told of it; zero for not at all
}

func newOwedAnswers(store storage.Families) *OwedAnswers {
	return &OwedAnswers{store: store, woken: make(chan struct{}, 1), owed: make(map[presentation]*owedAnswer)}
}

// Add remembers a presentation.
func (o *OwedAnswers) Add(r storage.UnansweredRequest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := presentation{r.Family, r.Presented}
	switch owed := o.owed[key]; {
	case owed == nil && len(o.owed) < maxOwedAnswers:
		o.owed[key] = &owedAnswer{UnansweredRequest: r}
	case owed != nil && len(owed.Attempts) < maxAttempts:
		owed.Attempts = slices.Concat(owed.Attempts, r.Attempts) // the goroutine that tells the store reads the old ones
	}
	select {
	case o.woken <- struct{}{}:
	default:
	}
}

// Settle tells the store of one presentation, if there is something to tell.
// A client that presents the same again waits for that.
func (o *OwedAnswers) Settle(ctx context.Context, family storage.FamilyID, presented uint32) error {
	key := presentation{family, presented}
	o.mu.Lock()
	owed := o.owed[key]
	if owed == nil {
		o.mu.Unlock()
		return nil
	}
	r := owed.UnansweredRequest
	o.mu.Unlock()
	err := o.store.Unanswered(ctx, r)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		switch {
		case !o.answered:
			owed.stuck = time.Time{}
		case owed.stuck.IsZero():
			owed.stuck = time.Now()
		}
		return fmt.Errorf("telling the store of an unanswered refresh: %w", err)
	}
	if o.owed[key] == owed && len(owed.Attempts) == len(r.Attempts) {
		delete(o.owed, key)
	}
	return nil
}

// settled reports whether nothing is owed. It does not count what a store that answers
// everything else can't be told for minutes, such as of a damaged record:
// that is tried further, but must not keep the others from finding reuse of what
// this node makes.
func (o *OwedAnswers) settled() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, owed := range o.owed {
		if owed.stuck.IsZero() || time.Since(owed.stuck) < stuckAfter {
			return false
		}
	}
	return true
}

// none reports whether there is nothing left to tell.
func (o *OwedAnswers) none() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.owed) == 0
}

// beaten notes whether the store has answered the last beat.
func (o *OwedAnswers) beaten(answered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answered = answered
}

// run tells the store of all, as soon as it can be told, until ctx ends.
func (o *OwedAnswers) run(ctx context.Context) {
	for ctx.Err() == nil {
		for !o.settleAll(ctx) && ctx.Err() == nil {
			background.Pause(ctx, settleEvery)
		}
		select {
		case <-ctx.Done():
		case <-o.woken:
		}
	}
}

// settleAll tells the store of all, until that fails several times in a row: it is
// likely to be away, and which come first is left to chance, so that one that can't
// be told holds up no others. It reports whether nothing is left to tell.
func (o *OwedAnswers) settleAll(ctx context.Context) bool {
	failed := 0
	for _, key := range o.keys() {
		call, cancel := context.WithTimeout(ctx, settleTime)
		err := o.Settle(call, key.family, key.generation)
		cancel()
		if err == nil {
			failed = 0
		} else if failed++; failed == settleFailures {
			break
		}
	}
	return o.none()
}

func (o *OwedAnswers) keys() []presentation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.owed))
}
