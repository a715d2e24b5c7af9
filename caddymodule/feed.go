package caddymodule

import (
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// feedLosses are why verdicts are dropped, as a closed set of metric labels.
var feedLosses = []tokens.FeedLoss{tokens.FeedCut, tokens.FeedGap, tokens.FeedReplaced, tokens.FeedFailover}

// feedInfo is how the feed does, by which nodes tell each other of revocations.
type feedInfo struct {
	Lines   uint64            `json:"lines"`            // heard since the process began
	Flushes map[string]uint64 `json:"flushes"`          // by what was lost
	Silent  float64           `json:"silent_seconds"`   // since the feed last answered; -1 for never
	Newest  *time.Time        `json:"newest,omitempty"` // when the last line heard was written
}

func describeFeed(s tokens.FeedStats, now time.Time) feedInfo {
	info := feedInfo{Lines: s.Lines, Flushes: make(map[string]uint64, len(feedLosses)), Silent: -1, Newest: optionalTime(s.Newest)}
	for _, loss := range feedLosses {
		info.Flushes[string(loss)] = s.Flushes[loss]
	}
	if !s.Read.IsZero() {
		info.Silent = now.Sub(s.Read).Seconds()
	}
	return info
}

// rows are those of `caddy oauth stats`.
func (f feedInfo) rows() [][]string {
	silent := "never answered"
	if f.Silent >= 0 {
		silent = fmt.Sprintf("answered %.1f s ago", f.Silent)
	}
	rows := [][]string{{"feed", silent}, {"feed: lines", fmt.Sprint(f.Lines)}}
	for _, loss := range feedLosses {
		if n := f.Flushes[string(loss)]; n > 0 {
			rows = append(rows, []string{"feed: flushes, " + string(loss), fmt.Sprint(n)})
		}
	}
	if f.Newest != nil {
		rows = append(rows, []string{"feed: newest line", stamp(f.Newest)})
	}
	return rows
}
