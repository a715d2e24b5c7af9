package caddymodule

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// stateCollectors are all that report on shared state.
func stateCollectors(state *tokens.State) []prometheus.Collector {
	return []prometheus.Collector{newStateCollector(state), newHealthCollector(state), newFeedCollector(state), newHoldingsCollector(state)}
}

// stateCollector reports what shared state holds, read when it is scraped.
type stateCollector struct {
	state         *tokens.State
	keyAge        *prometheus.Desc
	denylistAsked *prometheus.Desc
	denylistLag   *prometheus.Desc
}

func newStateCollector(state *tokens.State) *stateCollector {
	return &stateCollector{
		state: state,
		keyAge: prometheus.NewDesc("caddy_oauth_signing_key_age_seconds",
			"Time since the signing key was made.", []string{"algorithm", "state"}, nil),
		denylistAsked: prometheus.NewDesc("caddy_oauth_denylist_store_reads_total",
			"Token checks that had to ask the store, since what was held was too old or not there.", nil, nil),
		denylistLag: prometheus.NewDesc("caddy_oauth_denylist_lag_seconds",
			"Age of the denylist that is held; above max_lag the store does not answer.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.keyAge
	ch <- c.denylistAsked
	ch <- c.denylistLag
}

// Collect implements prometheus.Collector. Of several keys with one algorithm
// and state the oldest counts.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	type group struct{ algorithm, state string }
	oldest := make(map[group]time.Time)
	for _, k := range c.state.Keys.Keys() {
		g := group{string(k.Algorithm), string(k.State)}
		if made, ok := oldest[g]; !ok || k.Created.Before(made) {
			oldest[g] = k.Created
		}
	}
	ch <- prometheus.MustNewConstMetric(c.denylistAsked, prometheus.CounterValue, float64(c.state.Denylist.Asked()))
	ch <- prometheus.MustNewConstMetric(c.denylistLag, prometheus.GaugeValue, c.state.Denylist.Lag().Seconds())
	for g, made := range oldest {
		ch <- prometheus.MustNewConstMetric(c.keyAge, prometheus.GaugeValue, time.Since(made).Seconds(), g.algorithm, g.state)
	}
}
