package caddymodule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func TestFeedInfo(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct {
		name  string
		stats denylist.FeedStats
		want  []string
	}{
		{"never", denylist.FeedStats{}, []string{"feed never answered", "feed: lines 0"}},
		{
			"read",
			denylist.FeedStats{
				Lines: 7, Read: now.Add(-1500 * time.Millisecond), Newest: now.Add(-time.Minute),
				Flushes: map[storage.FeedLoss]uint64{storage.FeedGap: 2, storage.FeedCut: 1},
			},
			[]string{"feed answered 1.5 s ago", "feed: lines 7", "feed: flushes, cut 1", "feed: flushes, gap 2"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var rows []string
			for _, row := range describeFeed(tt.stats, now).Rows() {
				rows = append(rows, strings.Join(row, " "))
			}
			for _, want := range tt.want {
				if !slices.Contains(rows, want) {
					t.Errorf("%q is not in %q", want, rows)
				}
			}
		})
	}
}

// TestFeedMetrics: each cause is there from the start, and none comes later.
func TestFeedMetrics(t *testing.T) {
	state, err := state.New(state.Config{
		Store: boltstore.New(boltstore.Options{}), Observer: oauth.NopObserver{}, Clock: time.Now, CacheBytes: 1 << 20, DenylistEntries: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(newGaugeCollector(func() *App {
		return &App{backend: &backend{shared: &sharedState{state: state}}, issuerKeys: new(issuerKeys)}
	})); err != nil {
		t.Fatal(err)
	}
	state.Denylist.Flush()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if !strings.Contains(f.GetName(), "feed") && !strings.Contains(f.GetName(), "flushes") {
			continue
		}
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			found[name] = m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"caddy_oauth_feed_lines_total": 0, "caddy_oauth_denylist_flushes_total cut": 0, "caddy_oauth_denylist_flushes_total gap": 0,
		"caddy_oauth_denylist_flushes_total replaced": 0, "caddy_oauth_denylist_flushes_total failover": 1,
	} {
		if got, ok := found[name]; !ok || got != want {
			t.Errorf("%s: %v (there %v), want %v", name, got, ok, want)
		}
	}
	if len(found) != 5 {
		t.Errorf("series %v", found)
	}
}
