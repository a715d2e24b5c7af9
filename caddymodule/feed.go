package caddymodule

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// feedLosses are why verdicts are dropped, as a closed set of metric labels.
var feedLosses = []tokens.FeedLoss{tokens.FeedCut, tokens.FeedGap, tokens.FeedReplaced, tokens.FeedFailover}

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
