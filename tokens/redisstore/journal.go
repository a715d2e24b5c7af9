package redisstore

import (
	"sync"
	"time"
)

const (
	// journalFor is for how long a node remembers what it has taken and ended:
	// longer than a replica lags that is still promoted.
	journalFor = time.Minute
	// journalMax bounds it, in about thirty megabytes: a thousand a second.
	journalMax = 60_000
	// journalPage is how many entries are repeated in one pipeline.
	journalPage = 500
)

// journal is what this node has taken and ended in the last minute: codes and
// assertions taken, grants, tokens and clients ended. Redis replicates behind
// the answer, so a promoted replica may not know the last of it. It is repeated
// there before the first decision of this node. All of it is idempotent.
type journal struct {
	mu      sync.Mutex
	entries []entry // oldest first
	dropped uint64  // how many entries were before the first one, ever
}

// entry is a script as it was run, or one that has the same effect later.
type entry struct {
	at     time.Time
	script *script
	keys   []string
	args   []any
}

// add remembers a call that has been answered.
func (j *journal) add(sc *script, keys []string, args ...any) {
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trim(now, journalMax-1)
	j.entries = append(j.entries, entry{at: now, script: sc, keys: keys, args: args})
}

// trim drops what is old, and the oldest of more than `most`.
func (j *journal) trim(now time.Time, most int) {
	old := max(0, len(j.entries)-most)
	for old < len(j.entries) && now.Sub(j.entries[old].at) > journalFor {
		old++
	}
	clear(j.entries[:old])
	j.entries = j.entries[old:]
	j.dropped += uint64(old)
}

// from returns a page of entries, beginning with the n-th ever, and what comes after it.
func (j *journal) from(n uint64) (page []entry, next uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trim(time.Now(), journalMax)
	n = max(n, j.dropped)
	rest := j.entries[min(n-j.dropped, uint64(len(j.entries))):]
	rest = rest[:min(len(rest), journalPage)]
	return append(page, rest...), n + uint64(len(rest))
}
