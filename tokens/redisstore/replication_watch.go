package redisstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// behindEvery is between two questions to a server whose replicas are behind.
// Most of the time passes in WAIT itself.
const behindEvery = 50 * time.Millisecond

// watchReplicas asks the servers whether their replicas keep up, and those with
// replicas that are behind whether they are back. It is a goroutine beside the
// watch, since WAIT may take as long as is configured.
func (s *Store) watchReplicas(ctx context.Context, c *connection) {
	pause := probeEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.replication.fell:
		case <-time.After(pause):
		}
		pause = probeEvery
		s.guarded(func() {
			if s.opening.Load() != nil && s.probeReplicas(ctx, c) {
				pause = behindEvery
			}
		})
	}
}

// probeReplicas asks all servers and reports whether the replicas of any are behind.
func (s *Store) probeReplicas(ctx context.Context, c *connection) (behind bool) {
	ctx, cancel := context.WithTimeout(ctx, c.options.longestCall())
	defer cancel()
	keys := s.probeKeys(ctx, c)
	var wg sync.WaitGroup
	for server, key := range keys {
		wg.Go(background.Safely(s.recovered, func() {
			w := c.options.WaitReplicas
			sent := time.Now()
			pipe := server.Pipeline()
			write := pipe.Set(ctx, key, "", probeKept)
			wait := pipe.Do(ctx, "WAIT", w.Number, w.Timeout.Milliseconds())
			_, _ = pipe.Exec(ctx) // each command has its error
			if got, err := wait.Int(); err == nil && write.Err() == nil {
				s.replication.note(c.placeOf(server), sent, got >= w.Number)
			}
		}))
	}
	wg.Wait()
	for server := range keys {
		behind = behind || s.replication.behind(c.placeOf(server))
	}
	return behind
}

const (
	// probeKept is how long the key lives that probeReplicas writes.
	probeKept = time.Minute
	// probeTags is in how many slots a place is looked for that lies on a server.
	// One that serves very few slots may be missed: the calls themselves ask it.
	probeTags = 1 << 14
)

// probeKeys names a key on each server that takes writes.
func (s *Store) probeKeys(ctx context.Context, c *connection) map[*redis.Client]string {
	cluster, ok := c.client.(*redis.ClusterClient)
	if !ok {
		return map[*redis.Client]string{c.client.(*redis.Client): s.probeKey(0)}
	}
	var mu sync.Mutex
	wanted := make(map[*redis.Client]bool)
	_ = cluster.ForEachMaster(ctx, func(_ context.Context, server *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		wanted[server] = true
		return nil
	})
	keys := make(map[*redis.Client]string, len(wanted))
	for n := 0; n < probeTags && len(wanted) > 0; n++ {
		server, err := cluster.MasterForKey(ctx, s.probeKey(n))
		if err == nil && wanted[server] {
			keys[server] = s.probeKey(n)
			delete(wanted, server)
		}
	}
	return keys
}

// probeKey names a key that replicas are asked about.
func (s *Store) probeKey(n int) string { return s.key(fmt.Sprintf("%s{%d}", probed, n)) }
