package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

const (
	maxNodes  = 64 // that are remembered; the one that has been silent for longest goes
	nodesKept = 90 * 24 * time.Hour
)

// nodesKey names the hash of the nodes.
func (s *Store) nodesKey() string { return s.common("nodes") }

// Beat implements tokens.Pulse.
func (s *Store) Beat(ctx context.Context, r tokens.BeatRequest) (tokens.Beat, error) {
	says := ""
	if r.Node != (tokens.NodeMark{}) {
		s.self.Store(r.Node)
	}
	switch {
	case r.Node == tokens.NodeMark{}:
	case r.Leaving:
		says = "leave"
	case r.Settled:
		says = "vouch"
	}
	a, err := s.decide(ctx, "beat", s.scripts().born, []string{s.common("store"), s.nodesKey()}, r.Node[:], says, maxNodes, nodesKept.Milliseconds())
	if err != nil {
		return tokens.Beat{}, err
	}
	b := tokens.Beat{Now: a.millis(), Born: a.millis(), Failovers: s.failovers()}
	if a.err == nil {
		s.serverClock.Store(&clockReading{at: time.Now(), server: b.Now})
	}
	return b, a.err
}

// silence asks whether a node is silent. One that nobody knows is not, and this
// one has told all that it owes about a family before it asks about that.
func (s *Store) silence(ctx context.Context, c *connection, node tokens.NodeMark) (silence tokens.Silence, silent bool, err error) {
	if s.self.Load() == node {
		return silence, false, nil
	}
	a, err := s.eval(ctx, c, s.scripts().vouched, []string{s.nodesKey()}, node[:])
	if err != nil {
		return silence, false, err
	}
	now, vouched := a.millis(), a.millis()
	if vouched.IsZero() {
		return silence, false, a.err
	}
	silence, silent = tokens.SilenceOf(node, vouched, now)
	return silence, silent, a.err
}
