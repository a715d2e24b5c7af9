package redisstore

import (
	"context"
	"errors"
	"time"
)

// fitEvery is how often the servers are asked whether they are still as they
// have to be, and unfitEvery while they are not: settings can be changed while
// Redis runs, and the server that takes over in a failover has settings of its own.
const (
	fitEvery   = 10 * time.Second
	unfitEvery = time.Second
)

// fitness is what was last found out about the servers.
type fitness struct {
	err   error // why they may lose what they are told; nil for no reason
	never bool  // nothing may be decided there
}

// pause is after how long the servers are asked again.
func (f *fitness) pause() time.Duration {
	if f != nil && f.err != nil {
		return unfitEvery
	}
	return fitEvery
}

// checkFitness asks the servers. One that does not answer is as it was.
func (s *Store) checkFitness(ctx context.Context, c *connection) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.opening.Load() == nil || s.closed {
		return
	}
	err := s.within(ctx, c, s.checkServers)
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

// errWritableReplica is a replica that takes writes, and loses them.
var errWritableReplica = unfitError("the server is a replica that takes writes, which are lost when it is next synchronized: " +
	"set `replica-read-only yes`, and lead the address to the primary")

// mayWrite returns why nothing may be decided at the servers.
func (s *Store) mayWrite() error {
	if f := s.fitness.Load(); f != nil && f.never {
		return f.err
	}
	return nil
}
