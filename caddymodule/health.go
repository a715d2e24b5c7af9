package caddymodule

import (
	"time"

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
