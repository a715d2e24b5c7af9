package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// journalFor is for how long a node remembers what it has taken and ended:
	// longer than a replica lags that is still promoted.
	journalFor = time.Minute
	// journalMax bounds it, in about thirty megabytes: a thousand a second.
	journalMax = 60_000
	// journalPage is how many entries are repeated in one pipeline.
	journalPage = 500
	// replayFor bounds one replay. What is left goes on over the next connection.
	replayFor = 5 * time.Second
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

// primariesSeen are the servers that a store was found at, and how far the journal
// has been repeated on those that took over.
type primariesSeen struct {
	replays turns // one at a place: whoever connects to it meanwhile waits

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

// meet looks which data are behind a connection to a server, before anything is
// decided over it. Where another server has taken over, or one has started
// anew, it repeats the journal.
func (s *Store) meet(ctx context.Context, place string, server redis.Cmdable) error {
	ctx = context.WithValue(ctx, probing{}, true)
	found, ok, err := historyOf(ctx, server)
	if err != nil || !ok {
		return err // one that takes no writes will refuse what is decided here
	}
	p := &s.primaries
	done, err := p.replays.take(ctx, place, 1)
	if err != nil {
		return fmt.Errorf("waiting until what was decided before a failover is repeated: %w", err)
	}
	defer done()
	n, late := p.found(place, found)
	if !late {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), replayFor)
	defer cancel()
	start := time.Now()
	err = s.replay(ctx, server, n, func(next uint64) { p.reached(place, next) })
	if err == nil {
		p.caughtUp(place)
	}
	s.options.OnCall("replay", time.Since(start), err)
	return err
}

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

// replay repeats the journal over one connection, from the n-th entry on.
func (s *Store) replay(ctx context.Context, server redis.Cmdable, n uint64, reached func(next uint64)) error {
	loaded := make(map[*script]bool)
	for {
		page, next := s.journal.from(n)
		if len(page) == 0 {
			return nil
		}
		pipe := server.Pipeline()
		for _, e := range page {
			if !loaded[e.script] {
				if err := e.script.Load(ctx, server).Err(); err != nil {
					return fmt.Errorf("repeating what was decided before a failover: %w", err)
				}
				loaded[e.script] = true
			}
			e.script.EvalSha(ctx, pipe, e.keys, append([]any{s.calls.Add(1)}, e.args...)...)
		}
		cmds, err := pipe.Exec(ctx)
		if err != nil {
			if err := replayed(cmds, err); err != nil {
				return fmt.Errorf("repeating what was decided before a failover: %w", err)
			}
		}
		n = next
		reached(n)
	}
}

// replayed returns the first error that counts. In a Cluster, what lies in the
// slots of other servers is refused here, and has not been lost.
func replayed(cmds []redis.Cmder, err error) error {
	var answered redis.Error
	if !errors.As(err, &answered) {
		return err
	}
	for _, cmd := range cmds {
		err := cmd.Err()
		if err == nil || redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK") {
			continue
		}
		if errors.As(err, &answered) && strings.Contains(err.Error(), "gatehouse: ") {
			continue // a record that can't be read can't be ended, now as then
		}
		return err
	}
	return nil
}

// failovers is how often another server was found to have taken over.
func (s *Store) failovers() uint64 {
	s.primaries.mu.Lock()
	defer s.primaries.mu.Unlock()
	return s.primaries.failovers
}

// meetPrimaries looks at the servers of a Cluster that take writes. Connections
// to a replica may be older than its promotion.
func (s *Store) meetPrimaries(ctx context.Context, c *connection) {
	cluster, ok := c.client.(*redis.ClusterClient)
	if !ok {
		return
	}
	// One that is out of reach is met when it is connected to.
	_ = cluster.ForEachMaster(ctx, func(ctx context.Context, server *redis.Client) error {
		ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
		return s.meet(ctx, server.Options().Addr, server)
	})
}
