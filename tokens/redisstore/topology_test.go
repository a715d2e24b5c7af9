package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// honest is a client that obeys the rules: it presents the newest token it has,
// and after an error tries again a little later.
type honest struct {
	t       *testing.T
	s       *Store
	chain   *chain
	rotated int           // answers with a new generation
	failed  int           // calls without an answer
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
			h.failed++
			time.Sleep(20 * time.Millisecond)
			continue
		}
		h.outage = max(h.outage, time.Since(last))
		last = time.Now()
		switch res.Outcome {
		case storage.Rotated, storage.RotateReplayed, storage.RotateHealed:
		default:
			h.t.Errorf("an honest client has lost its session: presented %d, outcome %d", h.chain.request.Presented, res.Outcome)
			return
		}
		if res.Family.Generation != h.chain.request.Presented+1 {
			h.t.Errorf("presented %d and got %d", h.chain.request.Presented, res.Family.Generation)
			return
		}
		if res.Outcome == storage.RotateHealed {
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
		all[i].chain.request.Leeway = time.Minute // an election may have to be held twice
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
	user := storage.TagSubject("local|codes")
	for n := 0; ctx.Err() == nil; n++ {
		session, err := s.CreateSession(context.Background(), storage.SessionRequest{User: user, ID: storage.SessionID{1}, Lifetime: time.Hour})
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		id := storage.CodeID{byte(n), byte(n >> 8)}
		if kept, err := s.PutCode(context.Background(), storage.PutRequest{User: user, ID: id, Session: session.ID, Body: []byte("code"), Lifetime: time.Minute}); err != nil || kept != storage.PutKept {
			continue
		}
		var taken atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				res, err := s.TakeCode(context.Background(), storage.TakeRequest{User: user, ID: id, DenyFor: time.Hour, Attempt: newAttempt()})
				if err == nil && res.Outcome == storage.CodeTaken {
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
	t.Parallel()
	sentinels := redistest.StartSentinels(t)
	options := func(prefix string) Options {
		return Options{Mode: Sentinel, MasterName: redistest.MasterName, Addresses: sentinels.Addrs, KeyPrefix: prefix}
	}
	t.Run("conformance", func(t *testing.T) { conform(t, options) })
	feed := follow(t, options(prefix()))
	t.Run("feed", func(t *testing.T) { feed.hears(t, 1, 2, 3) })
	t.Run("failover", func(t *testing.T) { testFailover(t, sentinels, options(prefix())) })
	t.Run("feed after the failover", func(t *testing.T) {
		feed.hears(t, 4, 5)
		if cuts, _ := feed.state(); cuts == 0 {
			t.Error("the reader has not noticed the failover")
		}
	})
}

// testFailover kills the primary under load: R-10.
func testFailover(t *testing.T, sentinels *redistest.Sentinels, o Options) {
	s := New(o)
	defer s.Close()
	_, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)

	// What was revoked and replicated stays revoked (I3).
	ended := newChain(t, s, "local|ended")
	_, err = s.End(t.Context(), storage.EndRequest{User: ended.request.User, Scope: storage.EndUser, DenyFor: time.Hour, Attempt: newAttempt()})
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
	if res, err := s.Rotate(t.Context(), ended.request); err != nil || res.Outcome != storage.RotateUnknown {
		t.Errorf("a family that was ended before the failover: %+v, %v", res, err)
	}
	if d, err := s.Denials(t.Context(), []storage.UserTag{ended.request.User}); err != nil || d[0].Before.IsZero() {
		t.Errorf("the sign-out before the failover: %+v, %v", d, err)
	}
}

// TestCluster runs over three primaries, each with a replica.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	t.Parallel()
	nodes := redistest.StartCluster(t)
	options := func(prefix string) Options {
		return Options{Mode: Cluster, Addresses: nodes.Addrs(), KeyPrefix: prefix}
	}
	t.Run("conformance", func(t *testing.T) { conform(t, options) })
	t.Run("one script", func(t *testing.T) { testOneScript(t, nodes, options(prefix())) })
	o := options(prefix())
	o.Timeout = 5 * time.Second // the machine has other work
	s := New(o)
	defer s.Close()
	_, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)
	t.Run("idle", func(t *testing.T) { testIdle(t, nodes, s) })
	t.Run("watermarks away", func(t *testing.T) { testWatermarksAway(t, nodes, s) })
	feed := follow(t, options(prefix()))
	t.Run("feed", func(t *testing.T) { testFeedMoves(t, nodes, feed) })
	t.Run("resharding", func(t *testing.T) { testResharding(t, nodes, s, 10, 20*time.Millisecond) })
	t.Run("resharding with replicas", func(t *testing.T) {
		o := options(prefix())
		o.WaitReplicas, o.Timeout = WaitReplicas{Number: 1, Timeout: 10 * time.Second, Strict: true}, 10*time.Second
		s := New(o)
		defer s.Close()
		_, err := s.Open(t.Context(), openRequest)
		mustDo(t, err)
		testResharding(t, nodes, s, 10, 20*time.Millisecond)
	})
	t.Run("failover", func(t *testing.T) { testClusterFailover(t, nodes, s) })
	t.Run("feed after the failover", func(t *testing.T) { feed.hears(t, 1, 2) })
	t.Run("slots down", func(t *testing.T) {
		o := options(prefix())
		o.Timeout = 2 * time.Second
		s := New(o)
		defer s.Close()
		_, err := s.Open(t.Context(), openRequest)
		mustDo(t, err)
		testSlotsDown(t, nodes, s)
	})
}

// TestSlowResharding: the keys of a user are apart for longer than it takes to be
// sent elsewhere a few times, and for less than a call may take.
func TestSlowResharding(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	t.Parallel()
	nodes := redistest.StartCluster(t)
	for _, number := range []int{0, 1} {
		t.Run(fmt.Sprint(number, " replicas"), func(t *testing.T) {
			s := New(Options{
				Mode: Cluster, Addresses: nodes.Addrs(), KeyPrefix: prefix(), Timeout: 10 * time.Second,
				WaitReplicas: WaitReplicas{Number: number, Timeout: 10 * time.Second, Strict: number > 0},
			})
			defer s.Close()
			_, err := s.Open(t.Context(), openRequest)
			mustDo(t, err)
			testResharding(t, nodes, s, 2, 200*time.Millisecond)
		})
	}
}

// testResharding moves the slots of users while they refresh: R-14. Nobody notices.
func testResharding(t *testing.T, nodes *redistest.Nodes, s *Store, moves int, pause time.Duration) {
	name := s.options.KeyPrefix
	all := crowd(t, s, name, 10, func() {
		for i := range moves {
			slot := nodes.Slot(s.userKey(storage.TagSubject(fmt.Sprint("local|", name, i)), held))
			from := nodes.Owner(slot)
			nodes.Move(t, slot, from, (from+1)%3, func() { time.Sleep(pause) })
			time.Sleep(50 * time.Millisecond)
		}
	})
	outage, rotated, healed := worst(all)
	t.Logf("%d rotations; the longest outage of a client was %v", rotated, outage.Round(time.Millisecond))
	if healed != 0 {
		t.Errorf("%d rotations were lost", healed)
	}
	for _, h := range all {
		if h.failed != 0 {
			t.Errorf("%d calls got no answer", h.failed)
		}
	}
}

// TestReshardingToANewServer: a slot goes to a server that serves none yet, of
// which the cluster's client has not heard.
func TestReshardingToANewServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts seven processes")
	}
	t.Parallel()
	nodes := redistest.StartCluster(t)
	s := New(Options{
		Mode: Cluster, Addresses: nodes.Addrs(), KeyPrefix: prefix(), Timeout: 10 * time.Second,
		WaitReplicas: WaitReplicas{Number: 1, Timeout: 100 * time.Millisecond},
	})
	t.Cleanup(func() { _ = s.Close() })
	_, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)
	to := nodes.Add(t)
	all := crowd(t, s, "new", 1, func() {
		slot := nodes.Slot(s.userKey(storage.TagSubject("local|new0"), held))
		nodes.Move(t, slot, nodes.Owner(slot), to, func() { time.Sleep(50 * time.Millisecond) })
		time.Sleep(300 * time.Millisecond)
	})
	if all[0].failed != 0 || all[0].healed != 0 {
		t.Errorf("%d calls got no answer, %d rotations were lost", all[0].failed, all[0].healed)
	}
}

// testClusterFailover kills a primary; its replica takes over.
func testClusterFailover(t *testing.T, nodes *redistest.Nodes, s *Store) {
	all := crowd(t, s, "failover", 20, func() {
		time.Sleep(200 * time.Millisecond)
		nodes.Servers[0].Kill()
		waitFor(t, "the replica to take over", func() bool { return strings.HasPrefix(nodes.Servers[3].Do("ROLE"), "master") })
		time.Sleep(time.Second)
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
	var users []storage.UserTag
	for _, c := range slices.Concat(dead, live) {
		users = append(users, c.request.User)
	}
	answers, err := s.Denials(t.Context(), users)
	mustDo(t, err)
	for i, a := range answers {
		if down := i < len(dead); (a.Err != nil) != down {
			t.Errorf("user %d, of a node that is down %v: %+v", i, down, a)
		}
	}
	t.Logf("%d of %d users were cut off", len(dead), len(dead)+len(live))
}
