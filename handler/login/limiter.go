package login

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// A limiter slows down whoever fails too often. It counts failures per key in a
// table of fixed size, by a keyed hash: no number of made-up names makes it
// grow or pushes another key's count out. Two keys that share a place share a
// delay, which is rare and short.
type limiter struct {
	free int // failures without a delay
	seed maphash.Seed
	mu   sync.Mutex
	rows [limiterRows]limiterRow
}

// limiterRow is the count of one key. It leaks, so that a busy address, where
// some fail all day long, is not slowed down for ever.
type limiterRow struct {
	failures int32
	last     int64 // Unix nanoseconds of the last failure
	leaked   int64 // Unix nanoseconds up to which the count has leaked
}

const (
	limiterRows = 1 << 14
	failureLeak = time.Minute // one failure is forgotten
	firstDelay  = time.Second
	longestWait = time.Minute
)

func newLimiter(free int) *limiter { return &limiter{free: free, seed: maphash.MakeSeed()} }

func (l *limiter) row(key string) *limiterRow {
	return &l.rows[maphash.String(l.seed, key)%limiterRows]
}

// leak forgets the failures that are due. A clock that was set back makes
// nobody wait longer.
func (r *limiterRow) leak(now int64) {
	r.last, r.leaked = min(r.last, now), min(r.leaked, now)
	if n := (now - r.leaked) / int64(failureLeak); r.failures > 0 && n > 0 {
		r.failures = max(0, r.failures-int32(min(n, 1<<20)))
		r.leaked += n * int64(failureLeak)
	}
	if r.failures == 0 {
		r.leaked = now
	}
}

// wait returns how long the key has to wait, and counts nothing.
func (l *limiter) wait(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	row, at := l.row(key), now.UnixNano()
	row.leak(at)
	return max(0, l.delay(int(row.failures))-time.Duration(at-row.last))
}

// begin asks for one try. It returns how long the key has to wait, or 0 and
// counts the try as a failure until undo says that it was none, so that guesses
// sent at once do not all pass before the first of them has failed.
func (l *limiter) begin(key string, now time.Time) (wait time.Duration, undo func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row, at := l.row(key), now.UnixNano()
	row.leak(at)
	before := row.last
	if wait := l.delay(int(row.failures)) - time.Duration(at-before); wait > 0 {
		return wait, nil
	}
	row.failures = min(row.failures+1, 1<<20)
	row.last = at
	return 0, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		row.failures = max(0, row.failures-1)
		if row.last == at {
			row.last = before
		}
	}
}

// delay is how long to wait after the last of so many failures.
func (l *limiter) delay(failures int) time.Duration {
	over := failures - l.free
	switch {
	case over < 0:
		return 0
	case over < 6:
		return min(longestWait, firstDelay<<over)
	}
	return longestWait
}

// clear forgets all failures of a key.
func (l *limiter) clear(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.row(key) = limiterRow{}
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
