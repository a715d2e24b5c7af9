package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	maxNodes  = 256 // that are remembered; the one that has been silent for longest goes
	nodesKept = 90 * 24 * time.Hour
)

// nodesKey names the hash of the nodes.
func (s *Store) nodesKey() string { return s.common("nodes") }

// Beat implements storage.Pulse.
func (s *Store) Beat(ctx context.Context, r storage.BeatRequest) (storage.Beat, error) {
	says := ""
	if r.Node != (storage.NodeMark{}) {
		s.self.Store(r.Node)
	}
	switch {
	case r.Node == storage.NodeMark{}:
	case r.Leaving:
		says = "leave"
	case r.Settled:
		says = "vouch"
	}
	a, err := s.decide(ctx, "beat", s.scripts().born, []string{s.common("store"), s.nodesKey()}, r.Node[:], says, maxNodes, nodesKept.Milliseconds())
	if err != nil {
		return storage.Beat{}, err
	}
	b := storage.Beat{Now: a.millis(), Born: a.millis(), Failovers: s.failovers()}
	if f := s.fitness.Load(); f != nil {
		b.Unsafe = f.err
	}
	if a.err == nil {
		s.serverClock.Store(&clockReading{at: time.Now(), server: b.Now})
	}
	return b, a.err
}

// silence returns the node that made the current generation of a family, and
// since when it is silent, where it is; "" where it is not. A node that nobody
// knows is not silent, and this one has told all that it owes about a family
// before it asks about that. One that has said nothing since it made the
// generation may have died just now: then nobody can tell yet.
func (s *Store) silence(ctx context.Context, c *connection, f storage.Family) (node string, since time.Time, err error) {
	maker := f.Attempt.Node()
	if s.self.Load() == maker {
		return "", since, nil
	}
	a, err := s.eval(ctx, c, s.scripts().vouched, []string{s.nodesKey()}, maker[:])
	if err != nil {
		return "", since, err
	}
	now, vouched := a.millis(), a.millis()
	switch silence, silent := storage.SilenceOf(maker, vouched, now); {
	case a.err != nil || vouched.IsZero():
		return "", since, a.err
	case silent:
		return string(maker[:]), silence.Since, nil
	case f.Rotated.After(vouched):
		return "", since, errUnsure
	}
	return "", since, nil
}
