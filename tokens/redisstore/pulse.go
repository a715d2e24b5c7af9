package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// Beat implements tokens.Pulse.
func (s *Store) Beat(ctx context.Context) (tokens.Beat, error) {
	a, err := s.decide(ctx, "beat", s.scripts().born, []string{s.common("store")})
	if err != nil {
		return tokens.Beat{}, err
	}
	b := tokens.Beat{Now: a.millis(), Born: a.millis(), Failovers: s.failovers()}
	if f := s.fitness.Load(); f != nil {
		b.Unsafe = f.err
	}
	if a.err == nil {
		s.serverClock.Store(&clockReading{at: time.Now(), server: b.Now})
	}
	return b, a.err
}
