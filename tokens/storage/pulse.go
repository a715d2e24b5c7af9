package storage

import (
	"context"
	"errors"
	"time"
)

// Errors of Pulse.Beat, by a store in a file that could keep nothing more. What it
// holds can still be read.
var (
	ErrStoreRemoved  = errors.New("its file was removed while it was open, and a restart would begin with an empty one: save it with `caddy oauth backup`, then restore that")
	ErrStoreReplaced = errors.New("its file was replaced while it was open: restart Caddy to go on with the one that is there now, or save what was open with `caddy oauth backup` first")
)

// Pulse tells a node whether the store answers and is still the one that was
// opened, and tells the store that the node lives.
type Pulse interface {
	// Beat is called by every node each second. A store that takes no writes
	// answers it all the same.
	Beat(ctx context.Context, r BeatRequest) (Beat, error)
}

// BeatRequest is what a node says of itself.
type BeatRequest struct {
	Node NodeMark // zero to ask only
	// Settled vouches for the node: whatever it rotated more than DoubtFor ago
	// was answered, or the store was told that it was not (Families.Unanswered).
	Settled bool
	// Leaving is the last beat of a node that owes no answer.
	Leaving bool
}

// Beat is what a store says of itself.
type Beat struct {
	Now  time.Time // the store's time; milliseconds
	Born time.Time // as OpenResult.Born; zero for a store that has lost its birth mark: it was emptied
	// Failovers counts how often the store was found with another primary than
	// before, or with one that had restarted: the last writes may be lost.
	Failovers uint64
	// ClockDoubt is why the store does not follow its machine's clock, which has
	// jumped; nil where it does.
	ClockDoubt error
	// Unsafe is why the store may lose what it holds, though it answers; nil for
	// no reason. It names the fix.
	Unsafe error
}

// BeatEvery is how often a node asks how the store is. Together with the time
// that an answer takes it bounds how long an emptied store goes unnoticed.
const BeatEvery = time.Second
