package caddymodule

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
)

// stats reads the counters, and asks the store for nothing.
func (r *backend) stats() adminapi.Stats {
	users, _ := states.References(r.poolKey)
	counts := events.Process.Counts()
	return adminapi.Stats{
		Version:        adminapi.Version(),
		Issuer:         r.issuerURL,
		Store:          r.poolKey,
		Health:         describeHealth(r.shared.state.Health()),
		Feed:           describeFeed(r.shared.state.Denylist.FeedStats(), time.Now()),
		Configurations: users,
		Keys:           r.shared.state.Keys.Keys(),
		Events:         counts.Events,
		Refreshes:      counts.Refreshes,
		TokensIssued:   counts.Issued,
		TokensRefused:  counts.Refused,
		TokenChecks:    counts.Checks,
	}
}

func describeHealth(h state.Health) adminapi.Health {
	info := adminapi.Health{
		Status: string(oauth.OutcomeOK), Since: h.Since.UTC(), Checked: h.Checked.UTC(),
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

func describeFeed(s denylist.FeedStats, now time.Time) adminapi.Feed {
	info := adminapi.Feed{Lines: s.Lines, Flushes: make(map[string]uint64, len(feedLosses)), Silent: -1, Newest: s.Newest.UTC()}
	for _, loss := range feedLosses {
		info.Flushes[string(loss)] = s.Flushes[loss]
	}
	if !s.Read.IsZero() {
		info.Silent = now.Sub(s.Read).Seconds()
	}
	return info
}
