package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// honest is a client that obeys the rules: it presents the newest token it has,
// and after an error tries again a little later.
type honest struct {
	t       *testing.T
	s       *Store
	chain   *chain
	rotated int           // answers with a new generation
	healed  int           // of them, after the store had lost a write
	outage  time.Duration // the longest time without an answer
}

// run refreshes until it is told to stop, and never loses its session (I4).
func (h *honest) run(ctx context.Context) {
	last := time.Now()
	for ctx.Err() == nil {
		h.chain.request.Attempt = newAttempt()
		h.chain.request.Leeway = time.Minute
		res, err := h.s.Rotate(context.Background(), h.chain.request)
		if err != nil {
			if !errors.Is(err, ErrUnreachable) {
				h.t.Errorf("rotate: %v", err)
				return
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		h.outage = max(h.outage, time.Since(last))
		last = time.Now()
		switch res.Outcome {
		case tokens.Rotated, tokens.RotateReplayed, tokens.RotateHealed:
		default:
			h.t.Errorf("an honest client has lost its session: presented %d, outcome %d", h.chain.request.Presented, res.Outcome)
			return
		}
		if res.Family.Generation != h.chain.request.Presented+1 {
			h.t.Errorf("presented %d and got %d", h.chain.request.Presented, res.Family.Generation)
			return
		}
		if res.Outcome == tokens.RotateHealed {
			h.healed++
		}
		h.rotated++
		h.chain.request.Presented = res.Family.Generation
		time.Sleep(2 * time.Millisecond)
	}
}

// crowd lets honest clients refresh while something happens, and returns them.
func crowd(t *testing.T, s *Store, name string, n int, happens func()) []*honest {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	all := make([]*honest, n)
	for i := range all {
		all[i] = &honest{t: t, s: s, chain: newChain(t, s, fmt.Sprint("local|", name, i))}
		wg.Go(func() { all[i].run(ctx) })
	}
	happens()
	stop()
	wg.Wait()
	for _, h := range all {
		// The store is where the client is: nothing ran twice, nothing is missing (I2).
		live, err := s.ListFamilies(t.Context(), h.chain.request.User)
		if err != nil || len(live) != 1 || live[0].Generation != h.chain.request.Presented {
			t.Errorf("the client has generation %d, the store %+v (%v)", h.chain.request.Presented, live, err)
		}
		if h.chain.request.Presented != uint32(1+h.rotated) {
			t.Errorf("%d answers led to generation %d", h.rotated, h.chain.request.Presented)
		}
	}
	return all
}

func worst(all []*honest) (outage time.Duration, rotated, healed int) {
	for _, h := range all {
		outage = max(outage, h.outage)
		rotated += h.rotated
		healed += h.healed
	}
	return outage, rotated, healed
}

// codeRace has one code taken by many at once, over and over, and counts those
// that got it (I1). A call that got no answer may have taken it.
func codeRace(ctx context.Context, t *testing.T, s *Store) (codes int) {
	user := tokens.TagSubject("local|codes")
	for n := 0; ctx.Err() == nil; n++ {
		session, err := s.CreateSession(context.Background(), tokens.SessionRequest{User: user, ID: tokens.SessionID{1}, Lifetime: time.Hour})
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		id := tokens.CodeID{byte(n), byte(n >> 8)}
		if kept, err := s.PutCode(context.Background(), tokens.PutRequest{User: user, ID: id, Session: session.ID, Body: []byte("code"), Lifetime: time.Minute}); err != nil || !kept {
			continue
		}
		var taken atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				res, err := s.TakeCode(context.Background(), tokens.TakeRequest{User: user, ID: id, DenyFor: time.Hour, Attempt: newAttempt()})
				if err == nil && res.Outcome == tokens.CodeTaken {
					taken.Add(1)
				}
			})
		}
		wg.Wait()
		if taken.Load() > 1 {
			t.Errorf("a code was taken %d times", taken.Load())
		}
		codes++
	}
	return codes
}

// TestSentinel runs over a primary with two replicas and three sentinels.
func TestSentinel(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	sentinels := redistest.StartSentinels(t)
	options := func(prefix string) Options {
		return Options{Mode: Sentinel, MasterName: redistest.MasterName, Addresses: sentinels.Addrs, KeyPrefix: prefix}
	}
	t.Run("conformance", func(t *testing.T) { conform(t, options) })
	t.Run("failover", func(t *testing.T) { testFailover(t, sentinels, options(prefix())) })
}

// testFailover kills the primary under load: R-10.
func testFailover(t *testing.T, sentinels *redistest.Sentinels, o Options) {
	s := New(o)
	defer s.Close()
	_, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)

	// What was revoked and replicated stays revoked (I3).
	ended := newChain(t, s, "local|ended")
	_, err = s.End(t.Context(), tokens.EndRequest{User: ended.request.User, Scope: tokens.EndUser, DenyFor: time.Hour, Attempt: newAttempt()})
	mustDo(t, err)

	ctx, stop := context.WithCancel(t.Context())
	var codes int
	var wg sync.WaitGroup
	wg.Go(func() { codes = codeRace(ctx, t, s) })
	all := crowd(t, s, "failover", 20, func() {
		time.Sleep(500 * time.Millisecond)
		old := sentinels.Primary()
		old.Kill()
		for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			if _, err := s.Profile(t.Context(), user); err == nil {
				t.Logf("back %v after the kill", time.Since(start).Round(time.Millisecond))
				break
			} else if time.Since(start) > 30*time.Second {
				t.Fatalf("no new primary: %v", err)
			}
		}
		time.Sleep(time.Second)
		old.Run() // comes back, as a replica soon
		time.Sleep(2 * time.Second)
	})
	stop()
	wg.Wait()
	outage, rotated, healed := worst(all)
	t.Logf("%d rotations, %d healed, %d codes; the longest outage of a client was %v", rotated, healed, codes, outage.Round(time.Millisecond))
	if res, err := s.Rotate(t.Context(), ended.request); err != nil || res.Outcome != tokens.RotateUnknown {
		t.Errorf("a family that was ended before the failover: %+v, %v", res, err)
	}
	if d, err := s.Denials(t.Context(), []tokens.UserTag{ended.request.User}); err != nil || d[0].Before.IsZero() {
		t.Errorf("the sign-out before the failover: %+v, %v", d, err)
	}
}

// TestCluster runs over three primaries, each with a replica.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	nodes := redistest.StartCluster(t)
	options := func(prefix string) Options {
		return Options{Mode: Cluster, Addresses: nodes.Addrs(), KeyPrefix: prefix}
	}
	t.Run("conformance", func(t *testing.T) { conform(t, options) })
	s := New(options(prefix()))
	defer s.Close()
	_, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)
	t.Run("watermark", func(t *testing.T) { testClusterWatermark(t, s) })
	t.Run("resharding", func(t *testing.T) { testResharding(t, nodes, s) })
	t.Run("failover", func(t *testing.T) { testClusterFailover(t, nodes, s) })
	t.Run("slots down", func(t *testing.T) { testSlotsDown(t, nodes, s) })
}

// testClusterWatermark: a node that has not heard that a client was ended does
// not rotate its families all the same.
func testClusterWatermark(t *testing.T, s *Store) {
	c := newChain(t, s, "local|alice")
	mustDo(t, c.rotate(s))
	if _, err := s.EndClient(t.Context(), c.request.Client); err != nil {
		t.Fatal(err)
	}
	if res, err := s.Rotate(t.Context(), c.request); err != nil || res.Outcome != tokens.RotateUnknown || !res.IssueAt.IsZero() {
		t.Errorf("rotate: %+v, %v", res, err)
	}
	time.Sleep(2 * time.Second) // the next chains' watermark
}

// testResharding moves the slots of users while they refresh: R-14.
func testResharding(t *testing.T, nodes *redistest.Nodes, s *Store) {
	all := crowd(t, s, "moving", 10, func() {
		for i := range 10 {
			slot := nodes.Slot(s.userKey(tokens.TagSubject(fmt.Sprint("local|moving", i)), held))
			from := nodes.Owner(slot)
			nodes.Move(t, slot, from, (from+1)%3, func() { time.Sleep(20 * time.Millisecond) })
			time.Sleep(50 * time.Millisecond)
		}
	})
	outage, rotated, healed := worst(all)
	t.Logf("%d rotations; the longest outage of a client was %v", rotated, outage.Round(time.Millisecond))
	if healed != 0 {
		t.Errorf("%d rotations were lost", healed)
	}
}

// testClusterFailover kills a primary; its replica takes over.
func testClusterFailover(t *testing.T, nodes *redistest.Nodes, s *Store) {
	all := crowd(t, s, "failover", 20, func() {
		time.Sleep(200 * time.Millisecond)
		nodes.Servers[0].Kill()
		time.Sleep(8 * time.Second)
		nodes.Servers[0].Run()
		time.Sleep(2 * time.Second)
	})
	outage, rotated, healed := worst(all)
	t.Logf("%d rotations, %d healed; the longest outage of a client was %v", rotated, healed, outage.Round(time.Millisecond))
}

// testSlotsDown kills a primary with its replica: its users get errors at once,
// the others notice nothing..
func testSlotsDown(t *testing.T, nodes *redistest.Nodes, s *Store) {
	// The watermarks of the clients lie in one slot, and everybody needs it.
	victim := (nodes.Owner(nodes.Slot(s.key("clients"))) + 1) % 3
	var dead, live []*chain
	for i := range 30 {
		c := newChain(t, s, fmt.Sprint("local|slots", i))
		slot := nodes.Slot(s.userKey(c.request.User, held))
		if nodes.Owner(slot) == victim {
			dead = append(dead, c)
		} else {
			live = append(live, c)
		}
	}
	nodes.Servers[victim].Kill()
	nodes.Servers[victim+3].Kill()
	for start := time.Now(); time.Since(start) < 5*time.Second; {
		for _, c := range dead {
			if err := c.rotate(s); !errors.Is(err, ErrUnreachable) {
				t.Fatalf("rotate where no node serves: %v", err)
			}
		}
		for _, c := range live {
			if err := c.rotate(s); err != nil {
				t.Fatalf("rotate beside a dead node: %v", err)
			}
		}
	}
	t.Logf("%d of %d users were cut off", len(dead), len(dead)+len(live))
}
