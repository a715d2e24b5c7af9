package events

import (
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Metrics are the counters of the process. They live as long as it does and
// are registered anew with the registry of each configuration, so that a
// reload does not reset them. Labels come from closed sets only: never a
// subject, token, address or anything else that a request chose.
type Metrics struct {
	events       map[oauth.EventKind]map[oauth.Outcome]prometheus.Counter
	refreshes    map[oauth.Outcome]prometheus.Counter
	issued       map[oauth.GrantType]prometheus.Counter
	checks       map[oauth.Reason]prometheus.Counter
	otherCheck   prometheus.Counter
	refused      map[oauth.Reason]prometheus.Counter
	otherRefusal prometheus.Counter
	keyFetches   map[oauth.Outcome]prometheus.Counter
	credentials  *prometheus.CounterVec
	dropped      prometheus.Counter
	unreplicated prometheus.Counter
	store        *prometheus.HistogramVec
	storeFails   *prometheus.CounterVec
	endpoints    *prometheus.HistogramVec

	collectors []prometheus.Collector
}

// grantTypes are labels.
var grantTypes = []oauth.GrantType{
	oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode,
}

// other is the label of a value outside the closed set.
const other = "other"

// verdictOK is the label of a token that passed.
const verdictOK = "ok"

// Process are shared by all configurations of the process.
var Process = NewMetrics()

// latencyBuckets reach from a cache hit to a store that is about to time out, in seconds.
var latencyBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewMetrics makes counters that are all at zero. Apart from tests there is Process.
func NewMetrics() *Metrics {
	m := new(Metrics)
	events := m.counters("caddy_oauth_events_total", "Decisions of the authorization server, by kind and outcome.", "event", "outcome")
	m.events = make(map[oauth.EventKind]map[oauth.Outcome]prometheus.Counter)
	for _, kind := range oauth.EventKinds() {
		m.events[kind] = preset(events.MustCurryWith(prometheus.Labels{"event": string(kind)}), withOther(kind.Outcomes()))
	}
	refreshes := m.counters("caddy_oauth_refreshes_total", "Refresh token requests, by outcome.", "outcome")
	m.refreshes = preset(refreshes, withOther(oauth.EventRefresh.Outcomes()))
	issued := m.counters("caddy_oauth_tokens_issued_total", "Access tokens issued, by grant type.", "grant_type")
	m.issued = preset(issued, grantTypes)
	refused := m.counters("caddy_oauth_tokens_refused_total", "Token requests refused, by reason.", "reason")
	m.refused = preset(refused, oauth.Reasons)
	m.otherRefusal = refused.WithLabelValues(other)
	checks := m.counters("caddy_oauth_token_checks_total", "Access tokens checked on guarded routes, by verdict.", "verdict")
	m.checks = preset(checks, oauth.Reasons)
	m.checks[""] = checks.WithLabelValues(verdictOK)
	m.otherCheck = checks.WithLabelValues(other)
	fetches := m.counters("caddy_oauth_issuer_key_fetches_total", "Fetches of the keys of other issuers, by outcome.", "outcome")
	m.keyFetches = preset(fetches, oauth.EventIssuerKeys.Outcomes())
	m.credentials = m.counters("caddy_oauth_client_credentials_used_total",
		"Authentications of clients with several secrets or keys, by option and position in the configuration.", "client", "credential")
	m.dropped = m.counters("caddy_oauth_events_dropped_total", "Caddy events dropped because their subscribers were too slow.").WithLabelValues()
	m.unreplicated = m.counters("caddy_oauth_store_unreplicated_total", "Writes not confirmed in time by enough replicas of the store.").WithLabelValues()
	m.store = m.histograms("caddy_oauth_store_duration_seconds", "Duration of store operations.", "op")
	m.storeFails = m.counters("caddy_oauth_store_errors_total", "Store operations that failed.", "op")
	preset(m.storeFails, storage.Operations)
	m.endpoints = m.histograms("caddy_oauth_endpoint_duration_seconds", "Duration of requests to the endpoints.", "endpoint", "code")
	return m
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.collectors = append(m.collectors, c)
	return c
}

func (m *Metrics) histograms(name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencyBuckets}, labels)
	m.collectors = append(m.collectors, h)
	return h
}

func withOther(outcomes []oauth.Outcome) []oauth.Outcome {
	return append(slices.Clone(outcomes), other)
}

// preset finds the counters of a closed set once, so that counting neither
// looks up labels nor allocates, and so that each is seen at zero from the start.
func preset[L ~string](vec *prometheus.CounterVec, labels []L) map[L]prometheus.Counter {
	counters := make(map[L]prometheus.Counter, len(labels))
	for _, l := range labels {
		counters[l] = vec.WithLabelValues(string(l))
	}
	return counters
}

// Register adds the process's metrics and others to the registry of a configuration.
func (m *Metrics) Register(registry *prometheus.Registry, others ...prometheus.Collector) error {
	var already prometheus.AlreadyRegisteredError
	for _, c := range append(m.All(), others...) {
		if err := registry.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// All returns what collects them.
func (m *Metrics) All() []prometheus.Collector { return slices.Clone(m.collectors) }

// Counts are counts of the process since it started, by label; those at zero
// are left out.
type Counts struct{ Events, Refreshes, Issued, Refused, Checks map[string]float64 }

// Counts reads the counters.
func (m *Metrics) Counts() Counts {
	c := Counts{
		Events: make(map[string]float64), Refreshes: countsOf(m.refreshes), Issued: countsOf(m.issued),
		Refused: countsOf(m.refused), Checks: countsOf(m.checks),
	}
	for kind, counters := range m.events {
		for _, n := range countsOf(counters) {
			c.Events[string(kind)] += n
		}
	}
	if passed, ok := c.Checks[""]; ok {
		delete(c.Checks, "")
		c.Checks[verdictOK] = passed
	}
	return c
}

// Happened returns how often that has happened since the process started.
func (m *Metrics) Happened(kind oauth.EventKind, outcome oauth.Outcome) int {
	return int(countsOf(m.events[kind])[string(outcome)])
}

func countsOf[L ~string](counters map[L]prometheus.Counter) map[string]float64 {
	values := make(map[string]float64)
	for label, c := range counters {
		var m dto.Metric
		if err := c.Write(&m); err == nil && m.GetCounter().GetValue() != 0 {
			values[string(label)] = m.GetCounter().GetValue()
		}
	}
	return values
}

// happened counts a decision.
func (m *Metrics) happened(e oauth.Event) {
	if counters, ok := m.events[e.Kind]; ok {
		c, ok := counters[e.Outcome]
		if !ok {
			c = counters[other]
		}
		c.Inc()
	}
	switch e.Kind {
	case oauth.EventRefresh:
		c, ok := m.refreshes[e.Outcome]
		if !ok {
			c = m.refreshes[other]
		}
		c.Inc()
	case oauth.EventTokenRefused:
		c, ok := m.refused[oauth.Reason(e.Outcome)]
		if !ok {
			c = m.otherRefusal
		}
		c.Inc()
	case oauth.EventTokenIssued:
		if c, ok := m.issued[e.GrantType]; ok {
			c.Inc()
		}
	case oauth.EventIssuerKeys:
		if c, ok := m.keyFetches[e.Outcome]; ok {
			c.Inc()
		}
	case oauth.EventClientCredential: // both are words of the configuration
		m.credentials.WithLabelValues(e.Client, string(e.Outcome)).Inc()
	default: // counted by kind only
	}
}

// Recovered counts and logs a panic that was caught where events are told: it
// cannot be told as one.
func (m *Metrics) Recovered(log *zap.Logger, work oauth.Outcome, err error) {
	m.happened(oauth.Event{Kind: oauth.EventBackgroundRecovered, Outcome: work})
	log.Error(string(oauth.EventBackgroundRecovered), zap.String("outcome", string(work)), zap.Error(err))
}

// checked counts a verdict of a guarded route. It does not allocate.
func (m *Metrics) checked(reason oauth.Reason) {
	c, ok := m.checks[reason]
	if !ok {
		c = m.otherCheck
	}
	c.Inc()
}

// EventDropped counts an event that no subscriber will get.
func (m *Metrics) EventDropped() { m.dropped.Inc() }

// WriteUnreplicated counts a write that too few replicas of the store have confirmed.
func (m *Metrics) WriteUnreplicated() { m.unreplicated.Inc() }

// Stored measures a store operation; op comes from the store's closed set.
func (m *Metrics) Stored(op string, took time.Duration, err error) {
	m.store.WithLabelValues(op).Observe(took.Seconds())
	if err != nil {
		m.storeFails.WithLabelValues(op).Inc()
	}
}

// Served measures a request; endpoint is a name from the route table.
func (m *Metrics) Served(endpoint string, status int, took time.Duration) {
	m.endpoints.WithLabelValues(endpoint, statusClass(status)).Observe(took.Seconds())
}

// statusClass returns the first digit of a status; a handler that sets none answers 200.
func statusClass(status int) string {
	switch {
	case status == 0:
		return "2xx"
	case status < 200:
		return "1xx"
	case status < 300:
		return "2xx"
	case status < 400:
		return "3xx"
	case status < 500:
		return "4xx"
	}
	return "5xx"
}
