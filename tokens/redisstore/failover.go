package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// replayFor bounds one replay. What is left goes on over the next connection.
const replayFor = 5 * time.Second

// meet looks which data are behind a connection to a server, before anything is
// decided over it. If another server has taken over, or one has restarted,
// it repeats the journal.
func (s *Store) meet(ctx context.Context, place string, server redis.Cmdable) error {
	ctx = context.WithValue(ctx, probing{}, true)
	found, ok, err := historyOf(ctx, server)
	if err != nil || !ok {
		return err // one that takes no writes will refuse what is decided here
	}
	p := &s.primaries
	done, err := p.replays.take(ctx, place, 1)
	if err != nil {
		return fmt.Errorf("waiting until decisions from before a failover are repeated: %w", err)
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
	s.options.OnCall(ctx, "replay", time.Since(start), err)
	return err
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
					return fmt.Errorf("repeating decisions from before a failover: %w", err)
				}
				loaded[e.script] = true
			}
			e.script.EvalSha(ctx, pipe, e.keys, append([]any{s.calls.Add(1)}, e.args...)...)
		}
		cmds, err := pipe.Exec(ctx)
		if err != nil {
			if err := replayed(cmds, err); err != nil {
				return fmt.Errorf("repeating decisions from before a failover: %w", err)
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
