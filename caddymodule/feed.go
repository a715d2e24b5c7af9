package caddymodule

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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

// feedCollector reports how the feed does, read when it is scraped.
type feedCollector struct {
	state                         *tokens.State
	lines, flushes, lag, newestAt *prometheus.Desc
}

func newFeedCollector(state *tokens.State) *feedCollector {
	return &feedCollector{
		state: state,
		lines: prometheus.NewDesc("caddy_oauth_feed_lines_total",
			"Lines of the feed of revocations that this node has heard.", nil, nil),
		flushes: prometheus.NewDesc("caddy_oauth_denylist_flushes_total",
			"How often all verdicts were dropped, since lines of the feed may have been lost.", []string{"cause"}, nil),
		lag: prometheus.NewDesc("caddy_oauth_feed_lag_seconds",
			"Time since the feed last answered. It answers every two seconds: above five it is cut, and max_lag alone brings revocations of other nodes.", nil, nil),
		newestAt: prometheus.NewDesc("caddy_oauth_feed_newest_line_age_seconds",
			"Time since the last line that was heard was written.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *feedCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.lines, c.flushes, c.lag, c.newestAt} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What has never been is left out.
func (c *feedCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.state.Denylist.FeedStats()
	ch <- prometheus.MustNewConstMetric(c.lines, prometheus.CounterValue, float64(s.Lines))
	for _, loss := range feedLosses {
		ch <- prometheus.MustNewConstMetric(c.flushes, prometheus.CounterValue, float64(s.Flushes[loss]), string(loss))
	}
	if !s.Read.IsZero() {
		ch <- prometheus.MustNewConstMetric(c.lag, prometheus.GaugeValue, time.Since(s.Read).Seconds())
	}
	if !s.Newest.IsZero() {
		ch <- prometheus.MustNewConstMetric(c.newestAt, prometheus.GaugeValue, time.Since(s.Newest).Seconds())
	}
}
