package caddymodule

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// healthInfo is what operators may see of a gateway's health; the endpoint
// `health` tells the world the status alone.
type healthInfo struct {
	Status    string     `json:"status"` // "ok", or a tokens.Trouble
	Cause     string     `json:"cause,omitempty"`
	Since     time.Time  `json:"since"`
	Checked   *time.Time `json:"checked,omitempty"`    // when the store was last asked
	ClockSkew float64    `json:"clock_skew_seconds"`   // how far this clock is ahead of the store's
	Born      *time.Time `json:"store_born,omitempty"` // when the store was first opened
	Failovers uint64     `json:"store_failovers"`      // that this process has seen
}

// healthOK is the status of a gateway without trouble.
const healthOK = "ok"

func describeHealth(h tokens.Health) healthInfo {
	info := healthInfo{
		Status: healthOK, Since: h.Since.UTC(), Checked: optionalTime(h.Checked),
		ClockSkew: h.ClockSkew.Seconds(), Born: optionalTime(h.Born), Failovers: h.Failovers,
	}
	if h.Trouble != "" {
		info.Status = string(h.Trouble)
	}
	if h.Cause != nil {
		info.Cause = h.Cause.Error()
	}
	return info
}

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
