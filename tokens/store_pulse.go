package tokens

import (
	"context"
	"time"
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
	Node NodeMark // zero for one who only asks
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
	// before, or with one that had started anew: the last writes may be lost.
	Failovers uint64
}
