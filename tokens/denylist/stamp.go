package denylist

import "time"

const (
	// stampTick is in what the time of a stamp is counted: 40 bits are 34 years.
	stampTick = time.Millisecond
	// stampEpoch are the bits of a stamp that tell the epoch. An old stamp could
	// pass for a new one after as many denials, all within half of MaxLag.
	stampEpoch = 24
)

// stamp is a verdict that denies nothing, in one word: when the store was asked,
// in ticks since the denylist was made, and at which moment. Claims keep it beside
// what every request reads. It is 0 for a verdict that can't be written so.
func (d *Denylist) stamp(v *verdict) uint64 {
	ticks := v.asked.Sub(d.made) / stampTick // rounded down: older than it is
	if !v.denials.None() || ticks < 0 || ticks >= 1<<(64-stampEpoch) {
		return 0
	}
	return uint64(ticks)<<stampEpoch | v.epoch.bits()
}

// stamped reports whether the stamp of some claims says that nothing is denied,
// by the same rules as a verdict in the cache. A token in use asks the cache twice
// in MaxLag.
func (d *Denylist) stamped(t *Token, now time.Time, limits *denylistLimits) bool {
	s := t.stamp.Load()
	if s == 0 || s&(1<<stampEpoch-1) != d.epoch(t.User).bits() {
		return false
	}
	age := now.Sub(d.made) - time.Duration(s>>stampEpoch)*stampTick
	return age <= limits.maxLag/2
}

// bits are the lower bits of both counters' sum. Neither ever falls, so that
// equal sums are equal counters.
func (m moment) bits() uint64 { return (uint64(m.flushed) + uint64(m.slice)) & (1<<stampEpoch - 1) }
