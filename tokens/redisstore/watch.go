package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// How often the watch asks servers that do not answer, and the store for its birth mark.
const (
	probeEvery = 500 * time.Millisecond
	birthEvery = time.Second
)

// watch is the one goroutine of a store. It asks servers that are out of reach
// whether they are back, and looks whether the store is still the same.
func (s *Store) watch(ctx context.Context, c *connection) {
	defer close(c.done)
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var asked time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.guarded(func() {
				if c.breakers.probe(ctx) {
					reloadCluster(ctx, c.client)
				}
				if now.Sub(asked) >= birthEvery {
					asked = now
					s.checkBirth(ctx, c)
				}
			})
		}
	}
}

// guarded keeps a panic of the work, which may be one of go-redis or of a
// callback, from ending the process.
func (s *Store) guarded(work func()) {
	defer func() {
		if r := recover(); r != nil {
			defer func() { _ = recover() }()
			s.options.OnCall("watch", 0, fmt.Errorf("watching the store: panic: %v", r))
		}
	}()
	work()
}

// reloadCluster looks who serves which slots: another node may have taken over
// from the one that is gone.
func reloadCluster(ctx context.Context, client redis.UniversalClient) {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}

// checkBirth looks for the birth mark. A store that has lost it was emptied or
// is another one; it is opened again, as new.
func (s *Store) checkBirth(ctx context.Context, c *connection) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	opened := s.opening.Load()
	if opened == nil || s.closed {
		return
	}
	start := time.Now()
	born, err := s.born(ctx, c)
	if err == nil && !born.Equal(opened.result.Born) {
		err = s.reopen(ctx, c)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnreachable) {
		s.options.OnCall("watch", time.Since(start), err)
	}
}

func (s *Store) born(ctx context.Context, c *connection) (born time.Time, err error) {
	err = s.within(ctx, c, func(ctx context.Context, c *connection) error {
		a, err := s.eval(ctx, c, s.scripts.born, []string{s.key("store")})
		if err != nil {
			return err
		}
		_, born = a.millis(), a.millis()
		return a.err
	})
	return born, err
}

// reopen opens a store anew that is not the one that was opened.
func (s *Store) reopen(ctx context.Context, c *connection) error {
	opened := s.opening.Load()
	result, err := s.mark(ctx, c, opened.request)
	if err != nil {
		return err
	}
	if s.opening.CompareAndSwap(opened, &opening{request: opened.request, result: result}) {
		s.options.OnBirth(result.Born)
	}
	return nil
}
