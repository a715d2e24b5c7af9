package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestReplicationNotes: what WAIT says of the newest write counts.
func TestReplicationNotes(t *testing.T) {
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	type note struct {
		sent   int
		enough bool
		behind bool // after it
	}
	for _, tt := range []struct {
		name  string
		notes []note
	}{
		{"in step", []note{{1, true, false}, {2, true, false}}},
		{"behind, and back", []note{{1, false, true}, {2, false, true}, {3, true, false}}},
		{"a late answer to an earlier write", []note{{2, true, false}, {1, false, false}}},
		{"a late confirmation of an earlier write", []note{{2, false, true}, {1, true, true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReplication()
			for i, n := range tt.notes {
				r.note(anywhere, at(n.sent), n.enough)
				if r.behind(anywhere) != n.behind {
					t.Errorf("after note %d: behind %v", i, !n.behind)
				}
				if r.behind("elsewhere") {
					t.Error("another server's replicas are behind")
				}
			}
		})
	}
}

// replicated is a primary with a replica that is in step.
func replicated(t *testing.T) (primary, replica *redistest.Server) {
	t.Helper()
	primary = redistest.Start(t)
	replica = redistest.Start(t, "--replicaof", "127.0.0.1 "+fmt.Sprint(primary.Port))
	for start := time.Now(); primary.Do("WAIT", "1", "100") != "1"; {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the replica does not come")
		}
	}
	return primary, replica
}

// TestStrictReplicaAway: a replica is away for longer than the leeway. What was
// rotated when it left was not answered, and is not taken for theft when it is
// back, on whichever node and however late; and nothing else is spared.
func TestStrictReplicaAway(t *testing.T) {
	const leeway, away = 2 * time.Second, 4 * time.Second
	primary, replica := replicated(t)
	var missed atomic.Int32
	node := func() *Store {
		return openStore(t, primary, func(o *Options) {
			o.WaitReplicas, o.Timeout = WaitReplicas{Number: 1, Timeout: time.Second, Strict: true}, 5*time.Second
			o.OnUnreplicated = func() { missed.Add(1) }
		})
	}
	a, b := node(), node()
	begin := func(name string, leeway time.Duration) *chain {
		c := newChain(t, a, "local|"+name)
		c.request.Leeway = leeway
		return c
	}
	present := func(s *Store, c *chain, generation uint32) (storage.RotateResult, error) {
		r := c.request
		r.Presented, r.Attempt = generation, newAttempt()
		return s.Rotate(t.Context(), r)
	}
	before, edge, strict, late := begin("before", leeway), begin("edge", leeway), begin("strict", 0), begin("late", leeway)
	stolen, idle := begin("stolen", leeway), begin("idle", leeway)
	mustDo(t, before.rotate(a))
	mustDo(t, stolen.rotate(a))
	mustDo(t, stolen.rotate(a))
	time.Sleep(leeway)

	replica.Stop()
	left := time.Now()
	answers := make(chan error, 3)
	tell := func(c *chain, attempt storage.Attempt) error { // as the State of the node does
		return a.Unanswered(t.Context(), storage.UnansweredRequest{
			User: c.request.User, Family: c.request.Family, Presented: 1, Attempts: []storage.Attempt{attempt}, Leeway: c.request.Leeway,
		})
	}
	owed := map[*chain]storage.Attempt{edge: newAttempt(), strict: newAttempt(), late: newAttempt()}
	for c, attempt := range owed {
		go func() {
			r := c.request
			r.Presented, r.Attempt = 1, attempt
			_, err := a.Rotate(t.Context(), r)
			answers <- err
		}()
	}
	// A thief at the edge is found out, whatever the answer.
	res, err := present(a, stolen, 1)
	if !errors.Is(err, ErrUnreachable) || res.Outcome != storage.RotateReused {
		t.Errorf("reuse that no replica confirms: %+v, %v", res, err)
	}
	if n := slices.IndexFunc(a.journal.entries, func(e entry) bool { return e.script == a.scripts().end }); n < 0 {
		t.Error("the family that was ended is not in the journal")
	}
	for range cap(answers) {
		if err := <-answers; !committed(err) || !isUnreplicated(err) {
			t.Errorf("a rotation at the edge: %v", err)
		}
	}
	for c, attempt := range owed {
		if err := tell(c, attempt); !committed(err) || !isUnreplicated(err) {
			t.Errorf("telling that a rotation was not answered: %v", err)
		}
	}
	for name, s := range map[string]*Store{"a": a, "b": b} {
		within(t, "the node to see that the replica is away", func() bool { return s.replication.behind(anywhere) })
		counted := missed.Load()
		start := time.Now()
		if _, err := present(s, idle, 1); committed(err) || !errors.Is(err, ErrUnreachable) {
			t.Errorf("a rotation at %s while it is away: %v", name, err)
		}
		if took := time.Since(start); took > time.Second/2 {
			t.Errorf("refused at %s after %v", name, took)
		}
		if missed.Load() == counted {
			t.Error("nobody hears of what was refused")
		}
	}
	if live, err := a.ListFamilies(t.Context(), idle.request.User); err != nil || live[0].Generation != 1 {
		t.Errorf("what was refused was done: %+v, %v", live, err)
	}
	// What ends something is run, and told to be not certain.
	_, err = a.End(t.Context(), storage.EndRequest{User: idle.request.User, Scope: storage.EndFamily, Family: idle.request.Family, DenyFor: time.Hour, Attempt: newAttempt()})
	if !committed(err) || !isUnreplicated(err) {
		t.Errorf("an end while the replica is away: %v", err)
	}
	if live, err := a.ListFamilies(t.Context(), idle.request.User); err != nil || len(live) != 0 {
		t.Errorf("what was ended lives: %+v, %v", live, err)
	}
	time.Sleep(away - time.Since(left))

	replica.Continue()
	for _, s := range []*Store{a, b} {
		within(t, "the node to see that the replica is back", func() bool { return !s.replication.behind(anywhere) })
	}
	for _, want := range []struct {
		name    string
		chain   *chain
		outcome storage.RotateOutcome
	}{
		{"rotated when it left", edge, storage.Rotated},
		{"the same again", edge, storage.RotateReplayed},
		{"rotated before", before, storage.RotateReused},
		{"rotated when it left, without a leeway", strict, storage.Rotated},
		{"the same again, without a leeway", strict, storage.RotateReused},
	} {
		if res, err := present(b, want.chain, 1); err != nil || res.Outcome != want.outcome {
			t.Errorf("%s: outcome %d, want %d (%v)", want.name, res.Outcome, want.outcome, err)
		}
	}
	mustDo(t, tell(late, owed[late])) // and now it is certain
	time.Sleep(leeway)
	if res, err := present(b, late, 1); err != nil || res.Outcome != storage.Rotated || res.Family.Generation != 2 {
		t.Errorf("rotated when it left, and presented long after: outcome %d, %v", res.Outcome, err)
	}
	if res, err := present(b, edge, 1); err != nil || res.Outcome != storage.RotateReused {
		t.Errorf("presented again when it had been answered, after the leeway: outcome %d, %v", res.Outcome, err)
	}
}

// within waits until something holds that the watch brings about.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestLaxReplicaAway: the primary of a replica that is away goes on serving all,
// those who only ask too, and every write is counted.
func TestLaxReplicaAway(t *testing.T) {
	primary, replica := replicated(t)
	var missed atomic.Int32
	s := openStore(t, primary, func(o *Options) {
		o.PoolSize = 4
		o.WaitReplicas = WaitReplicas{Number: 1, Timeout: time.Second}
		o.OnUnreplicated = func() { missed.Add(1) }
	})
	chains := make([]*chain, 32)
	for i := range chains {
		chains[i] = newChain(t, s, fmt.Sprint("local|", i))
		mustDo(t, chains[i].rotate(s))
	}
	missed.Store(0)
	replica.Stop()
	left := time.Now()
	var rotated atomic.Int32
	var wg sync.WaitGroup
	for _, c := range chains {
		wg.Go(func() {
			for time.Since(left) < 4*time.Second {
				if err := c.rotate(s); err != nil {
					t.Error(err)
					return
				}
				rotated.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	for time.Since(left) < 4*time.Second {
		start := time.Now()
		if _, err := s.Denials(t.Context(), []storage.UserTag{user}); err != nil || time.Since(start) > time.Second {
			t.Errorf("asking the primary: %v after %v", err, time.Since(start))
		}
		time.Sleep(10 * time.Millisecond)
	}
	wg.Wait()
	if n := rotated.Load(); n < 20*int32(len(chains)) || missed.Load() != n {
		t.Errorf("%d rotations, %d of them counted", n, missed.Load())
	}
}

// TestBreakerJudges: what says that a server does not answer.
func TestBreakerJudges(t *testing.T) {
	hung := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, tt := range []struct {
		name     string
		err      error
		answered bool // somebody was, since the call began
		opens    bool
	}{
		{"no answer", hung, false, true},
		{"no answer, but to others", hung, true, false},
		{"the deadline has passed", context.DeadlineExceeded, false, true},
		{"the deadline has passed, behind others", context.DeadlineExceeded, true, false},
		{"no connection was free", redis.ErrPoolTimeout, false, false},
		{"no connection was left", redis.ErrPoolExhausted, false, false},
		{"a breaker's own answer", fmt.Errorf("connecting: %w", &unansweredError{address: "a", cause: "b"}), false, false},
		{"the client is closed", redis.ErrClosed, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &breaker{address: "a", patience: time.Millisecond}
			start := time.Now().Add(-time.Second)
			if tt.answered {
				b.judge(t.Context(), start, nil)
			}
			for range breakAfter {
				b.judge(t.Context(), start, tt.err)
			}
			if open := b.open.Load() != nil; open != tt.opens {
				t.Errorf("open %v, want %v", open, tt.opens)
			}
		})
	}
}
