package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// How often the watch asks servers that do not answer, the store whether it was
// exported, and the primaries of a Cluster who they are. These are met when they
// are connected to, and when one was out of reach: what is left is a replica that
// is connected to already, and promoted though its primary answers.
const (
	probeEvery = 500 * time.Millisecond
	movedEvery = time.Second
	meetEvery  = 2500 * time.Millisecond
)

// watch is the goroutine of a connection. It asks servers that are out of
// reach whether they are back, and looks whether the store was exported and
// whether the servers are fit for it.
func (s *Store) watch(ctx context.Context, c *connection) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var asked, met, fit time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.guarded(func() {
				away := c.breakers.probe(ctx)
				if away {
					reloadCluster(ctx, c.client)
				}
				if away || now.Sub(met) >= meetEvery {
					met = now
					s.meetPrimaries(ctx, c)
				}
				if now.Sub(asked) >= movedEvery {
					asked = now
					s.checkMoved(ctx, c)
				}
				if now.Sub(fit) >= s.fitness.Load().pause(s.options.fitEvery) {
					fit = now
					s.checkFitness(ctx, c)
				}
			})
		}
	}
}

// guarded keeps a panic of the work, which may be one of go-redis or of a
// callback, from ending the watch.
func (s *Store) guarded(work func()) { background.Safely(s.recovered, work)() }
