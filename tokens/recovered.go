package tokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// reportRecovered reports panics that were caught in background work.
func reportRecovered(o Observer, work Outcome) background.Report {
	return func(err error) {
		o.Happened(context.Background(), Event{Kind: EventBackgroundRecovered, Outcome: work, Cause: err})
	}
}
