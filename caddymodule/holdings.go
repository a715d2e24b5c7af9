package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// holdingsCollector reports what shared state holds in memory, and what it had
// no room for, read when it is scraped.
type holdingsCollector struct {
	state                                        *tokens.State
	verdicts, verified, missed, historiesDropped *prometheus.Desc
	hashesWaiting, hashes, hashSeconds           *prometheus.Desc
}

func newHoldingsCollector(state *tokens.State) *holdingsCollector {
	return &holdingsCollector{
		state: state,
		verdicts: prometheus.NewDesc("caddy_oauth_denylist_entries",
			"Users of whom the denylist holds what the store has said.", nil, nil),
		verified: prometheus.NewDesc("caddy_oauth_token_cache_bytes",
			"About what the verified tokens take in memory; token_cache is the bound.", nil, nil),
		missed: prometheus.NewDesc("caddy_oauth_token_cache_misses_total",
			"Tokens that were not among the verified, so that their signatures had to be checked.", nil, nil),
		historiesDropped: prometheus.NewDesc("caddy_oauth_history_dropped_total",
			"Notes for `caddy oauth explain` and the account page that were lost, since the store was too slow or did not take them.", nil, nil),
		hashesWaiting: prometheus.NewDesc("caddy_oauth_hashes_waiting",
			"Passwords and client secrets that wait for their turn to be compared with a slow hash.", nil, nil),
		hashes: prometheus.NewDesc("caddy_oauth_hashes_total",
			"Slow hashes (bcrypt, argon2id) computed for passwords and client secrets.", nil, nil),
		hashSeconds: prometheus.NewDesc("caddy_oauth_hash_seconds_total",
			"Time that they took.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *holdingsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.verdicts, c.verified, c.missed, c.historiesDropped, c.hashesWaiting, c.hashes, c.hashSeconds} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *holdingsCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.state
	ch <- prometheus.MustNewConstMetric(c.verdicts, prometheus.GaugeValue, float64(s.Denylist.Entries()))
	ch <- prometheus.MustNewConstMetric(c.verified, prometheus.GaugeValue, float64(s.Cache.Bytes()))
	ch <- prometheus.MustNewConstMetric(c.missed, prometheus.CounterValue, float64(s.Cache.Misses()))
	ch <- prometheus.MustNewConstMetric(c.historiesDropped, prometheus.CounterValue, float64(s.History.Dropped()))
	hashes := s.Hashes.Stats()
	ch <- prometheus.MustNewConstMetric(c.hashesWaiting, prometheus.GaugeValue, float64(hashes.Waiting))
	ch <- prometheus.MustNewConstMetric(c.hashes, prometheus.CounterValue, float64(hashes.Computed))
	ch <- prometheus.MustNewConstMetric(c.hashSeconds, prometheus.CounterValue, hashes.Took.Seconds())
}
