package caddymodule

import (
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// feedLosses are why the denylist in memory is dropped, as a closed set of metric labels.
var feedLosses = []storage.FeedLoss{storage.FeedCut, storage.FeedGap, storage.FeedReplaced, storage.FeedFailover}

// gauge is a metric that is read when it is scraped.
type gauge struct {
	name, help string
	labels     []string
	read       func(a *App, report reporter)
}

// reporter takes one value of a gauge, with a value for each of its labels.
type reporter func(value float64, labels ...string)

// gauges are all that is read of the app that serves. Those whose names end in
// _total count up. What has never been is left out.
var gauges = []gauge{
	{
		"caddy_oauth_build_info", "Always 1, with the version of Gatehouse and of Go that this program was built with.",
		[]string{"version", "go_version"},
		func(_ *App, report reporter) { report(1, adminapi.Version(), runtime.Version()) },
	},
	{"caddy_oauth_healthy", "Whether the health endpoint answers 200: 1, or 0 with the reason.", []string{"reason"}, ofState(readHealth)},
	{
		"caddy_oauth_clock_skew_seconds", "How far this node's clock is ahead of the store's; negative if it is behind.", nil,
		ofState(func(s *state.State, report reporter) { report(s.Health().ClockSkew.Seconds()) }),
	},

	{"caddy_oauth_signing_key_age_seconds", "Time since the signing key was created.", []string{"algorithm", "state"}, ofState(readKeyAges)},
	{"caddy_oauth_issuer_keys_age_seconds", "Time since the keys of another configured issuer were last fetched.", []string{"issuer"}, readIssuerKeyAges},

	{
		"caddy_oauth_denylist_entries", "Users whose denylist entries are held in memory.", nil,
		ofState(func(s *state.State, report reporter) { report(float64(s.Denylist.Entries())) }),
	},
	{
		"caddy_oauth_denylist_store_reads_total", "Token checks that had to ask the store, because the entry in memory was missing or too old.", nil,
		ofState(func(s *state.State, report reporter) { report(float64(s.Denylist.Asked())) }),
	},
	{
		"caddy_oauth_denylist_lag_seconds", "Age of the denylist in memory; if it exceeds max_lag, the store is not answering.", nil,
		ofState(func(s *state.State, report reporter) { report(s.Denylist.Lag().Seconds()) }),
	},
	{
		"caddy_oauth_denylist_flushes_total", "How often the denylist in memory was dropped, because lines of the feed may have been lost.",
		[]string{"cause"},
		ofState(func(s *state.State, report reporter) {
			stats := s.Denylist.FeedStats()
			for _, loss := range feedLosses {
				report(float64(stats.Flushes[loss]), string(loss))
			}
		}),
	},
	{
		"caddy_oauth_feed_lines_total", "Lines of the revocation feed that this node has received.", nil,
		ofState(func(s *state.State, report reporter) { report(float64(s.Denylist.FeedStats().Lines)) }),
	},
	{
		"caddy_oauth_feed_lag_seconds", "Time since the feed last answered. It answers every two seconds: above five it is cut off, " +
			"and revocations made on other nodes arrive only within max_lag.", nil,
		ofState(func(s *state.State, report reporter) { reportAge(report, s.Denylist.FeedStats().Read) }),
	},
	{
		"caddy_oauth_feed_newest_line_age_seconds", "Time since the newest line received from the feed was written.", nil,
		ofState(func(s *state.State, report reporter) { reportAge(report, s.Denylist.FeedStats().Newest) }),
	},

	{
		"caddy_oauth_token_cache_bytes", "Approximate memory used by verified tokens, bounded by token_cache.", nil,
		ofState(func(s *state.State, report reporter) { report(float64(s.Cache.Bytes())) }),
	},
	{
		"caddy_oauth_token_cache_misses_total", "Tokens not found in the cache, whose signatures had to be checked.", nil,
		ofState(func(s *state.State, report reporter) { report(float64(s.Cache.Misses())) }),
	},
	{
		"caddy_oauth_history_dropped_total", "Entries for `caddy oauth explain` and the account page that were lost, because the store was too slow or rejected them.", nil,
		ofState(func(s *state.State, report reporter) { report(float64(s.History.Dropped())) }),
	},
	{
		"caddy_oauth_hashes_waiting", "Passwords and client secrets waiting to be compared with a slow hash.", nil,
		ofState(func(s *state.State, report reporter) { report(float64(s.Hashes.Stats().Waiting)) }),
	},
	{
		"caddy_oauth_hashes_total", "Slow hashes (bcrypt, argon2id) computed for passwords and client secrets.", nil,
		ofState(func(s *state.State, report reporter) { report(float64(s.Hashes.Stats().Computed)) }),
	},
	{
		"caddy_oauth_hash_seconds_total", "Time spent computing slow hashes.", nil,
		ofState(func(s *state.State, report reporter) { report(s.Hashes.Stats().Took.Seconds()) }),
	},
}

// ofState reads shared state, which an app that nobody has configured lacks.
func ofState(read func(s *state.State, report reporter)) func(*App, reporter) {
	return func(a *App, report reporter) {
		if !a.unconfigured() {
			read(a.backend.shared.state, report)
		}
	}
}

func readHealth(s *state.State, report reporter) {
	value, trouble := 1.0, s.Health().Trouble
	if trouble != "" {
		value = 0
	}
	report(value, string(trouble))
}

// readKeyAges reports the oldest of several keys with one algorithm and state.
func readKeyAges(s *state.State, report reporter) {
	type group struct{ algorithm, state string }
	oldest := make(map[group]time.Time)
	for _, k := range s.Keys.Keys() {
		g := group{string(k.Algorithm), string(k.State)}
		if made, ok := oldest[g]; !ok || k.Created.Before(made) {
			oldest[g] = k.Created
		}
	}
	for g, made := range oldest {
		report(time.Since(made).Seconds(), g.algorithm, g.state)
	}
}

func readIssuerKeyAges(a *App, report reporter) {
	for issuer, seen := range a.issuerKeys.lastSeen() {
		report(time.Since(seen).Seconds(), issuer)
	}
}

func reportAge(report reporter, since time.Time) {
	if !since.IsZero() {
		report(time.Since(since).Seconds())
	}
}

// gaugeCollector reads the gauges of the app that serves. It is the same in every
// registry, so that a reload changes nothing.
type gaugeCollector struct {
	app   func() *App
	descs []*prometheus.Desc // of gauges
}

func newGaugeCollector(app func() *App) gaugeCollector {
	c := gaugeCollector{app, make([]*prometheus.Desc, len(gauges))}
	for i, g := range gauges {
		c.descs[i] = prometheus.NewDesc(g.name, g.help, g.labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c gaugeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (c gaugeCollector) Collect(ch chan<- prometheus.Metric) {
	a := c.app()
	if a == nil {
		return
	}
	for i, g := range gauges {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(g.name, "_total") {
			kind = prometheus.CounterValue
		}
		g.read(a, func(value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(c.descs[i], kind, value, labels...)
		})
	}
}

// Interface guard
var _ prometheus.Collector = gaugeCollector{}
