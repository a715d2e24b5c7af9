package oauth

import "context"

// Observer hears what happened. Metrics, events and log lines are written
// behind it, in one place. It must be fast and must not block.
type Observer interface {
	// Happened reports one decision.
	Happened(ctx context.Context, e Event)
	// Checked counts one verdict of the token check on a guarded route. It is
	// on the hot path and must not allocate. The reason is "" for a pass.
	Checked(reason Reason)
}

// NopObserver ignores everything.
type NopObserver struct{}

// Happened does nothing.
func (NopObserver) Happened(context.Context, Event) {}

// Checked does nothing.
func (NopObserver) Checked(Reason) {}
