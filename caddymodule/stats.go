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
func eventCounts(events map[tokens.EventKind]map[tokens.Outcome]prometheus.Counter) map[string]float64 {
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
