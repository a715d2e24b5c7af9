package caddymodule

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// stats is what an operator may want to know at a glance. Counts are those of
// the process since it started; what is zero is left out.
type stats struct {
	Issuer         string             `json:"issuer"`
	Store          string             `json:"store"`
	Health         healthInfo         `json:"health"`
	Feed           feedInfo           `json:"feed"`
	Configurations int                `json:"configurations"` // that use the store now, old ones included
	Keys           []tokens.KeyInfo   `json:"keys"`
	Events         map[string]float64 `json:"events"`
	Refreshes      map[string]float64 `json:"refreshes"`
	TokensIssued   map[string]float64 `json:"tokens_issued"`
	TokensRefused  map[string]float64 `json:"tokens_refused"`
	TokenChecks    map[string]float64 `json:"token_checks"`
}

func (r *runtime) stats() stats {
	users, _ := states.References(r.poolKey)
	m := processMetrics
	s := stats{
		Issuer:         r.issuerURL,
		Store:          r.poolKey,
		Health:         describeHealth(r.shared.state.Health()),
		Feed:           describeFeed(r.shared.state.Denylist.FeedStats(), time.Now()),
		Configurations: users,
		Keys:           r.shared.state.Keys.Keys(),
		Events:         eventCounts(m.events),
		Refreshes:      counts(m.refreshes),
		TokensIssued:   counts(m.issued),
		TokensRefused:  counts(m.refused),
		TokenChecks:    counts(m.checks),
	}
	if passed, ok := s.TokenChecks[""]; ok {
		delete(s.TokenChecks, "")
		s.TokenChecks[verdictOK] = passed
	}
	return s
}

// eventCounts reads the counters of events and adds up the outcomes of each kind.
func eventCounts(events map[tokens.EventKind]map[string]prometheus.Counter) map[string]float64 {
	sums := make(map[string]float64)
	for kind, counters := range events {
		for _, n := range counts(counters) {
			sums[string(kind)] += n
		}
	}
	return sums
}

// counts reads counters and leaves out those at zero.
func counts[L ~string](counters map[L]prometheus.Counter) map[string]float64 {
	values := make(map[string]float64)
	for label, c := range counters {
		var m dto.Metric
		if err := c.Write(&m); err == nil && m.GetCounter().GetValue() != 0 {
			values[string(label)] = m.GetCounter().GetValue()
		}
	}
	return values
}

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
