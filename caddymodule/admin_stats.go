package caddymodule

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// stats reads the counters, and asks the store for nothing.
func (r *backend) stats() adminapi.Stats {
	users, _ := states.References(r.poolKey)
	m := processMetrics
	s := adminapi.Stats{
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

func describeHealth(h tokens.Health) adminapi.Health {
	info := adminapi.Health{
		Status: string(tokens.OutcomeOK), Since: h.Since.UTC(), Checked: h.Checked.UTC(),
		ClockSkew: h.ClockSkew.Seconds(), Born: h.Born.UTC(), Failovers: h.Failovers,
	}
	if h.Trouble != "" {
		info.Status = string(h.Trouble)
	}
	if h.Cause != nil {
		info.Cause = h.Cause.Error()
	}
	return info
}

func describeFeed(s tokens.FeedStats, now time.Time) adminapi.Feed {
	info := adminapi.Feed{Lines: s.Lines, Flushes: make(map[string]uint64, len(feedLosses)), Silent: -1, Newest: s.Newest.UTC()}
	for _, loss := range feedLosses {
		info.Flushes[string(loss)] = s.Flushes[loss]
	}
	if !s.Read.IsZero() {
		info.Silent = now.Sub(s.Read).Seconds()
	}
	return info
}
