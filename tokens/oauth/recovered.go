package oauth

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// ReportRecovered reports panics that were caught in background work.
func ReportRecovered(o Observer, work Outcome) background.Report {
	return func(err error) {
		o.Happened(context.Background(), Event{Kind: EventBackgroundRecovered, Outcome: work, Cause: err})
	}
}
