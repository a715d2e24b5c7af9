package login

import (
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A brake slows down whoever fails too often. It counts failures per key in a
// table of fixed size, by a keyed hash: no number of made-up names makes it
// grow or pushes another key's count out. Two keys that share a place share a
// delay, which is rare and short.
type brake struct {
	free int // failures without a delay
	seed maphash.Seed
	mu   sync.Mutex
	rows [brakeRows]brakeRow
}

// brakeRow is the count of one key. It leaks, so that a busy address, where
// some fail all day long, is not slowed down for ever.
type brakeRow struct {
	failures int32
	last     int64 // Unix nanoseconds of the last failure
	leaked   int64 // Unix nanoseconds up to which the count has leaked
}

const (
	brakeRows  = 1 << 14
	brakeLeak  = time.Minute // one failure is forgotten
	brakeFirst = time.Second
	brakeMost  = time.Minute
)

func newBrake(free int) *brake { return &brake{free: free, seed: maphash.MakeSeed()} }

func (b *brake) row(key string) *brakeRow {
	return &b.rows[maphash.String(b.seed, key)%brakeRows]
}

// leak forgets the failures that are due.
func (r *brakeRow) leak(now int64) {
	if n := (now - r.leaked) / int64(brakeLeak); r.failures > 0 && n > 0 {
		r.failures = max(0, r.failures-int32(min(n, 1<<20)))
		r.leaked += n * int64(brakeLeak)
	}
	if r.failures == 0 {
		r.leaked = now
	}
}

// begin asks for one try. It returns how long the key has to wait, or 0 and
// counts the try as a failure until undo says that it was none, so that guesses
// sent at once do not all pass before the first of them has failed.
func (b *brake) begin(key string, now time.Time) (wait time.Duration, undo func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row, at := b.row(key), now.UnixNano()
	row.leak(at)
	before := row.last
	if wait := b.delay(int(row.failures)) - time.Duration(at-before); wait > 0 {
		return wait, nil
	}
	row.failures = min(row.failures+1, 1<<20)
	row.last = at
	return 0, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		row.failures = max(0, row.failures-1)
		if row.last == at {
			row.last = before
		}
	}
}

// delay is how long to wait after the last of so many failures.
func (b *brake) delay(failures int) time.Duration {
	over := failures - b.free
	switch {
	case over < 0:
		return 0
	case over < 6:
		return min(brakeMost, brakeFirst<<over)
	}
	return brakeMost
}

// clear forgets all failures of a key.
func (b *brake) clear(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*b.row(key) = brakeRow{}
}

// addressKey names the network that an address belongs to: one IPv6 customer
// has at least a /64.
func addressKey(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

// slots bound how many password hashes are computed at once, so that a flood
// of logins leaves the cores to the token endpoints. A short queue waits; the
// rest is told to come back at once.
type slots struct {
	free    chan struct{}
	waiting atomic.Int64
	queue   int64
}

const (
	queuePerSlot = 4
	queueWait    = 3 * time.Second
)

func newSlots(n int) *slots {
	return &slots{free: make(chan struct{}, n), queue: int64(n * queuePerSlot)}
}

// take waits for a slot and returns how to give it back.
func (s *slots) take(ctx context.Context) (release func(), err error) {
	busy := &WaitError{After: time.Second, Busy: true}
	if s.waiting.Add(1) > s.queue+int64(cap(s.free)) {
		s.waiting.Add(-1)
		return nil, busy
	}
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	select {
	case s.free <- struct{}{}:
		return func() { <-s.free; s.waiting.Add(-1) }, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	s.waiting.Add(-1)
	return nil, busy
}
