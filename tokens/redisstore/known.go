package redisstore

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// opening is what the store was opened with, and the answer.
type opening struct {
	request storage.OpenRequest
	result  storage.OpenResult
}

// fitEvery is how often the servers are asked whether they are still as they
// have to be, and unfitEvery while they are not: settings can be changed while
// Redis runs, and the server that takes over in a failover has settings of its own.
const (
	fitEvery   = 10 * time.Second
	unfitEvery = time.Second
)

// fitness is what was last found out about the servers.
type fitness struct {
	err   error // why they may lose what they are told; nil for no reason
	never bool  // nothing may be decided there
}

// pause is after how long the servers are asked again: `while` as long as they are fit.
func (f *fitness) pause(while time.Duration) time.Duration {
	if f != nil && f.err != nil {
		return unfitEvery
	}
	return while
}

// leaseFor is for how long a node relies on what it has last seen: that the
// store was not exported, or that it was. An export marks the store and waits
// for longer than this before it reads, so that no node decides anything
// behind its back. In a Cluster the mark is on another node than the users, so
// that the scripts themselves can't look at it, and as long as this its node may
// be out of reach without a loss to users elsewhere: as long as watermarks are
// believed by default.
const leaseFor = storage.DefaultMaxLag

// sighting is what a node knows of the mark.
type sighting struct {
	moved bool
	asked time.Time // before the question was sent
}

// age is how old a sighting is. A process that was suspended, or a clock that
// was set, must not make it look younger: of two clocks the later counts.
func (g *sighting) age(now time.Time) time.Duration {
	return max(now.Sub(g.asked), now.Round(0).Sub(g.asked.Round(0)))
}

// clockReading is what the clock of the server said, and when by ours.
type clockReading struct{ at, server time.Time }
