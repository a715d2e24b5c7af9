package redisstore

import (
	"context"
	"errors"
)

// checkFitness asks the servers. One that does not answer is as it was.
func (s *Store) checkFitness(ctx context.Context, c *connection) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.opening.Load() == nil || s.closed {
		return
	}
	err := s.within(ctx, c, checkServers)
	var unfit unfitError
	switch {
	case err == nil:
		s.fitness.Store(&fitness{})
	case errors.Is(err, errWritableReplica):
		s.fitness.Store(&fitness{err: err, never: true})
	case errors.As(err, &unfit):
		s.fitness.Store(&fitness{err: err})
	}
}
