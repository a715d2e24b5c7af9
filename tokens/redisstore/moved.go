package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// readers are the calls that a store answers, too, that was exported.
var readers = map[string]bool{
	"list_families": true, "live_family": true, "profile": true, "grant": true, "keys": true, "now": true, "denials": true, "client_watermarks": true,
	"scan_users": true, "held": true, "export": true, "resume": true, "import": true, "beat": true,
	"history": true, "family_of_request": true, "alias": true, "list_aliases": true,
}

// mayDecide returns storage.ErrMoved when the store was exported. It costs one atomic
// read: the watch keeps what was seen fresh, unless Redis was out of reach.
func (s *Store) mayDecide(ctx context.Context, c *connection) error {
	g := s.seen.Load()
	if g == nil || g.age(time.Now()) >= s.leaseFor {
		var err error
		if g, err = s.look(ctx, c); err != nil {
			return err
		}
	}
	if g.moved {
		return storage.ErrMoved
	}
	return nil
}

// look asks for the mark.
func (s *Store) look(ctx context.Context, c *connection) (*sighting, error) {
	asked := time.Now()
	moved, err := s.markMoved(ctx, c, "")
	if err != nil {
		return nil, err
	}
	g := &sighting{moved: moved, asked: asked}
	s.seen.Store(g)
	return g, nil
}

// markMoved asks for the mark, and sets it with "1" or takes it away with "0".
// It returns whether it was there before.
func (s *Store) markMoved(ctx context.Context, c *connection, set string) (was bool, err error) {
	a, err := s.eval(ctx, c, s.scripts().moved, []string{s.common("store")}, set)
	if err != nil {
		return false, err
	}
	was = a.bool()
	return was, a.err
}

// checkMoved keeps what is known of the mark fresh.
func (s *Store) checkMoved(ctx context.Context, c *connection) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.opening.Load() != nil && !s.closed {
		_ = s.within(ctx, c, func(ctx context.Context, c *connection) error {
			_, err := s.look(ctx, c) // else whoever decides next asks
			return err
		})
	}
}
