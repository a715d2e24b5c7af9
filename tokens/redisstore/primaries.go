package redisstore

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// primariesSeen are the servers that a store was found at, and how far the journal
// has been repeated on those that took over.
type primariesSeen struct {
	replays turns // one at a place: calls that connect to it meanwhile wait

	mu        sync.Mutex
	histories map[string]history // what a server was found with, by place
	behind    map[string]uint64  // the next entry to repeat there; places that are done are not in it
	failovers uint64
}

// history is where the data of a server come from.
type history struct {
	run       string // of the process
	id        string // replication id
	continues string // replication id that this one continues, since the server was promoted
}

// continuesNone is history.continues of a server that was never promoted.
const continuesNone = "0000000000000000000000000000000000000000"

// historyOf asks a server; ok is false for one that takes no writes.
func historyOf(ctx context.Context, server redis.Cmdable) (h history, ok bool, err error) {
	pipe := server.Pipeline()
	process, data := pipe.Info(ctx, "server"), pipe.Info(ctx, "replication")
	if _, err := pipe.Exec(ctx); err != nil {
		return h, false, err
	}
	p, d := readInfo(process.Val()), readInfo(data.Val())
	return history{run: p["run_id"], id: d["master_replid"], continues: d["master_replid2"]}, d["role"] == "master", nil
}

// anywhere is the place of a store that has one primary, wherever that is.
const anywhere = ""

// found notes the data of a place, and returns the next entry to repeat there;
// late is false where there is none.
func (p *primariesSeen) found(place string, data history) (next uint64, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tookOver(place, data) {
		p.failovers++
		p.behind[place] = 0
	}
	next, late = p.behind[place]
	return next, late
}

// reached notes the next entry to repeat at a place.
func (p *primariesSeen) reached(place string, next uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behind[place] = next
}

// caughtUp notes that a place has got all.
func (p *primariesSeen) caughtUp(place string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.behind, place)
}

// tookOver notes the data of a place, and reports whether they came after
// others that were seen: each start and each promotion begins a new history,
// and a promoted server names the one that its own continues. A primary also
// begins one when it gets its first replica, and has lost nothing.
func (p *primariesSeen) tookOver(place string, found history) bool {
	if p.histories == nil {
		p.histories, p.behind = make(map[string]history), make(map[string]uint64)
	}
	before, met := p.histories[place]
	follows := met && before.id != found.id && (before.run != found.run || found.continues != continuesNone)
	if !met {
		for _, other := range p.histories {
			follows = follows || other.id == found.continues
		}
	}
	p.histories[place] = found
	return follows
}
