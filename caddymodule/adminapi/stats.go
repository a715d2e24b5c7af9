package adminapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
)

// Stats is what an operator may want to know at a glance. Counts are those of
// the process since it started; what is zero is left out.
type Stats struct {
	Version        string             `json:"version"` // of the server: Version
	Issuer         string             `json:"issuer"`
	Store          string             `json:"store"`
	Health         Health             `json:"health"`
	Feed           Feed               `json:"feed"`
	Configurations int                `json:"configurations"` // that use the store now, old ones included
	Keys           []keyring.KeyInfo  `json:"keys"`
	Events         map[string]float64 `json:"events"`
	Refreshes      map[string]float64 `json:"refreshes"`
	TokensIssued   map[string]float64 `json:"tokens_issued"`
	TokensRefused  map[string]float64 `json:"tokens_refused"`
	TokenChecks    map[string]float64 `json:"token_checks"`
}

// Health is what operators may see of a gateway's health; the endpoint
// `health` tells the world the status alone.
type Health struct {
	Status    string    `json:"status"` // "ok", or an oauth.Trouble
	Cause     string    `json:"cause,omitempty"`
	Since     time.Time `json:"since"`
	Checked   time.Time `json:"checked,omitzero"`    // when the store was last asked
	ClockSkew float64   `json:"clock_skew_seconds"`  // how far this clock is ahead of the store's
	Born      time.Time `json:"store_born,omitzero"` // when the store was first opened
	Failovers uint64    `json:"store_failovers"`     // that this process has seen
}

// Feed is how the feed does, by which nodes tell each other of revocations.
type Feed struct {
	Lines   uint64            `json:"lines"`           // heard since the process began
	Flushes map[string]uint64 `json:"flushes"`         // by what was lost
	Silent  float64           `json:"silent_seconds"`  // since the feed last answered; -1 for never
	Newest  time.Time         `json:"newest,omitzero"` // when the last line heard was written
}

// Rows are those of `caddy oauth stats`.
func (f Feed) Rows() [][]string {
	silent := "never answered"
	if f.Silent >= 0 {
		silent = fmt.Sprintf("answered %.1f s ago", f.Silent)
	}
	rows := [][]string{{"feed", silent}, {"feed: lines", fmt.Sprint(f.Lines)}}
	for _, loss := range slices.Sorted(maps.Keys(f.Flushes)) {
		if n := f.Flushes[loss]; n > 0 {
			rows = append(rows, []string{"feed: flushes, " + loss, fmt.Sprint(n)})
		}
	}
	if !f.Newest.IsZero() {
		rows = append(rows, []string{"feed: newest line", stamp(f.Newest)})
	}
	return rows
}

func (a *API) stats(*call) (any, error) { return a.Stats(), nil }

func showStats(p *Printer, _ url.Values, s Stats) {
	rows := [][]string{{"version", s.Version}, {"issuer", s.Issuer}, {"store", s.Store}, {"configurations", fmt.Sprint(s.Configurations)}}
	rows = append(rows, healthRows(s.Health)...)
	rows = append(rows, s.Feed.Rows()...)
	for _, c := range []struct {
		name   string
		counts map[string]float64
	}{{"events", s.Events}, {"refreshes", s.Refreshes}, {"tokens issued", s.TokensIssued}, {"tokens refused", s.TokensRefused}, {"token checks", s.TokenChecks}} {
		for _, label := range slices.Sorted(maps.Keys(c.counts)) {
			rows = append(rows, []string{c.name + ": " + label, fmt.Sprint(c.counts[label])})
		}
	}
	p.Table(rows)
	p.Printf("\n")
	showKeys(p, nil, KeyList{s.Keys})
}

func healthRows(h Health) [][]string {
	rows := [][]string{{"health", h.Status}, {"since", stamp(h.Since)}}
	if h.Cause != "" {
		rows = append(rows, []string{"cause", h.Cause})
	}
	if !h.Born.IsZero() {
		rows = append(rows, []string{"store born", stamp(h.Born)})
	}
	return append(rows,
		[]string{"store failovers", fmt.Sprint(h.Failovers)},
		[]string{"clock ahead of the store's", fmt.Sprintf("%.3fs", h.ClockSkew)})
}
