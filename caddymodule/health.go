package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// healthOK is the status of a gateway without trouble.
const healthOK = "ok"

// healthCollector reports the health of shared state, read when it is scraped.
type healthCollector struct {
	state     *tokens.State
	healthy   *prometheus.Desc
	clockSkew *prometheus.Desc
}

func newHealthCollector(state *tokens.State) *healthCollector {
	return &healthCollector{
		state: state,
		healthy: prometheus.NewDesc("caddy_oauth_healthy",
			"Whether the endpoint health answers 200: 1, or 0 with the reason.", []string{"reason"}, nil),
		clockSkew: prometheus.NewDesc("caddy_oauth_clock_skew_seconds",
			"How far this node's clock is ahead of the store's; negative when it is behind.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *healthCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.healthy
	ch <- c.clockSkew
}

// Collect implements prometheus.Collector.
func (c *healthCollector) Collect(ch chan<- prometheus.Metric) {
	h, value := c.state.Health(), 1.0
	if h.Trouble != "" {
		value = 0
	}
	ch <- prometheus.MustNewConstMetric(c.healthy, prometheus.GaugeValue, value, string(h.Trouble))
	ch <- prometheus.MustNewConstMetric(c.clockSkew, prometheus.GaugeValue, h.ClockSkew.Seconds())
}
