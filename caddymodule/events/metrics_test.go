package events

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func TestMetricsSurviveAReload(t *testing.T) {
	m := NewMetrics()
	first := prometheus.NewPedanticRegistry()
	if err := m.Register(first); err != nil {
		t.Fatal(err)
	}
	m.happened(oauth.Event{Kind: oauth.EventRefresh, Outcome: "rotated"})
	m.Stored("rotate", time.Millisecond, nil)
	second := prometheus.NewPedanticRegistry()
	if err := m.Register(second); err != nil {
		t.Fatal(err)
	}
	m.happened(oauth.Event{Kind: oauth.EventRefresh, Outcome: "rotated"})
	for name, registry := range map[string]*prometheus.Registry{"old": first, "new": second} {
		if _, err := registry.Gather(); err != nil {
			t.Errorf("%s registry: %v", name, err)
		}
	}
	if n := counterValue(t, m.refreshes["rotated"]); n != 2 {
		t.Errorf("rotated = %v, want 2", n)
	}
	if err := m.Register(second); err != nil {
		t.Errorf("registering twice: %v", err)
	}
}

// What an alert counts is there before it happens first: `rate` sees nothing of a series that begins at 1.
func TestStoreErrorsBeginAtZero(t *testing.T) {
	m := NewMetrics()
	before := countSeries(t, m)
	for _, op := range storage.Operations {
		m.storeFails.WithLabelValues(op)
	}
	if after := countSeries(t, m); after != before || len(storage.Operations) < 50 {
		t.Errorf("%d series before the first error, %d after", before, after)
	}
}

func TestMetricsLabelsAreClosed(t *testing.T) {
	m := NewMetrics()
	before := countSeries(t, m)
	m.happened(oauth.Event{Kind: "made_up"})
	m.happened(oauth.Event{Kind: oauth.EventRefresh, Outcome: "made up"})
	m.checked("made_up")
	if after := countSeries(t, m); after != before {
		t.Errorf("an unknown value made a new series: %d, was %d", after, before)
	}
	if n := counterValue(t, m.refreshes[other]); n != 1 {
		t.Errorf("refreshes of an unknown outcome = %v, want 1", n)
	}
	if n := counterValue(t, m.otherCheck); n != 1 {
		t.Errorf("checks of an unknown reason = %v, want 1", n)
	}
}

func TestCheckedDoesNotAllocate(t *testing.T) {
	o := &Observer{metrics: NewMetrics()}
	for _, reason := range []oauth.Reason{"", oauth.ReasonExpired, "made_up"} {
		if n := testing.AllocsPerRun(100, func() { o.Checked(reason) }); n != 0 {
			t.Errorf("Checked(%q) allocates %v times", reason, n)
		}
	}
}

func TestStatusClass(t *testing.T) {
	for status, want := range map[int]string{0: "2xx", 101: "1xx", 200: "2xx", 303: "3xx", 429: "4xx", 503: "5xx"} {
		if got := statusClass(status); got != want {
			t.Errorf("statusClass(%d) = %s, want %s", status, got, want)
		}
	}
}

func counterValue(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func countSeries(t *testing.T, m *Metrics) int {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := m.Register(registry); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range families {
		n += len(f.GetMetric())
	}
	return n
}
