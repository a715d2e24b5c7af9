package tokens

import (
	"context"
	"time"
)

// Pulse tells whether a store answers and is still the one that was opened.
type Pulse interface {
	// Beat reads a little and writes nothing. Every node calls it each second.
	Beat(ctx context.Context) (Beat, error)
}

// Beat is what a store says of itself.
type Beat struct {
	Now  time.Time // the store's time; milliseconds
	Born time.Time // as OpenResult.Born; zero for a store that has lost its birth mark: it was emptied
	// Failovers counts how often the store was found with another primary than
	// before, or with one that had started anew: the last writes may be lost.
	Failovers uint64
	// Unsafe is why the store may lose what it holds, though it answers; nil for
	// no reason. It names the fix.
	Unsafe error
}
