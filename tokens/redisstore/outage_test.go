package redisstore

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestOutage takes Redis away under load, by kill -9 and by SIGSTOP: calls fail
// within the deadline, then at once and without goroutines, and are back within
// two seconds.
func TestOutage(t *testing.T) {
	for _, c := range []struct {
		name       string
		down, back func(*redistest.Server)
	}{
		{"killed", (*redistest.Server).Kill, (*redistest.Server).Run},
		{"stopped", (*redistest.Server).Stop, (*redistest.Server).Continue},
	} {
		t.Run(c.name, func(t *testing.T) { testOutage(t, c.down, c.back) })
	}
}

func testOutage(t *testing.T, down, back func(*redistest.Server)) {
	const timeout = 400 * time.Millisecond
	server := redistest.Start(t)
	s := openStore(t, server, func(o *Options) { o.Timeout = timeout })
	ask := func() (time.Duration, error) {
		start := time.Now()
		_, err := s.Denials(context.Background(), []storage.UserTag{user})
		return time.Since(start), err
	}
	for range 10 {
		if _, err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	before := runtime.NumGoroutine()
	down(server)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 3 {
				// Five times the timeout: this machine may be busy.
				if took, err := ask(); !errors.Is(err, ErrUnreachable) || took > 5*timeout {
					t.Errorf("without Redis: %v after %v", err, took)
				}
			}
		})
	}
	wg.Wait()
	fast := make([]time.Duration, 10_000)
	for i := range fast {
		took, err := ask()
		if !errors.Is(err, ErrUnreachable) {
			t.Fatalf("without Redis: %v", err)
		}
		fast[i] = took
	}
	slices.Sort(fast)
	median := fast[len(fast)/2]
	t.Logf("without Redis a call takes %v", median)
	if median > 100*time.Microsecond {
		t.Errorf("without Redis a call takes %v", median)
	}
	if after := runtime.NumGoroutine(); after > before+16 {
		t.Errorf("%d goroutines, %d before the outage", after, before)
	}
	back(server)
	start := time.Now()
	for {
		_, err := ask()
		if err == nil {
			break
		}
		if time.Since(start) > 20*time.Second {
			t.Fatalf("%v after Redis is back: %v", time.Since(start), err)
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("back after %v", time.Since(start))
	for range 20 {
		if _, err := ask(); err != nil {
			t.Errorf("after Redis is back: %v", err)
		}
	}
}

// TestCallersDeadline: a caller with little time is not kept longer, and does
// not open the breaker for the others.
func TestCallersDeadline(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, func(o *Options) { o.Timeout = 5 * time.Second })
	server.Stop()
	for range 2 * breakAfter {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		start := time.Now()
		_, err := s.Profile(ctx, user)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	}
	server.Continue()
	if _, err := s.Profile(t.Context(), user); err != nil {
		t.Errorf("after the impatient: %v", err)
	}
}

// TestOutOfMemory fills Redis: writes are refused, reads and ends go on, and no
// decision is half done..
func TestOutOfMemory(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	c := newChain(t, s, "local|alice")
	mustDo(t, c.rotate(s))
	server.Do("CONFIG", "SET", "maxmemory", "1")
	for range 3 {
		if err := c.rotate(s); err == nil || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "memory is full") {
			t.Errorf("rotate without memory: %v", err)
		}
		if _, err := beginChain(s, "local|bob", 1); err == nil {
			t.Error("a login without memory was answered")
		}
		if _, err := s.Denials(t.Context(), []storage.UserTag{user}); err != nil {
			t.Errorf("asking without memory: %v", err)
		}
		wantFamilies(t, s, 1)
	}
	if live, _ := s.ListFamilies(t.Context(), storage.TagSubject("local|bob")); len(live) != 0 {
		t.Error("a refused login left a family behind")
	}
	if res, err := s.End(t.Context(), storage.EndRequest{User: user, Family: c.request.Family, Scope: storage.EndFamily, DenyFor: time.Hour}); err != nil || len(res.Families) != 1 {
		t.Errorf("ending without memory: %+v, %v", res, err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	if _, err := beginChain(s, "local|bob", 1); err != nil {
		t.Error(err)
	}
}

// TestReplica makes the server a replica under the store, as a failover behind
// one name does..
func TestReplica(t *testing.T) {
	primary, server := redistest.Start(t), redistest.Start(t)
	s := openStore(t, server)
	c := newChain(t, s, "local|alice")
	host, port, _ := strings.Cut(primary.Addr, ":")
	server.Do("REPLICAOF", host, port)
	waitFor(t, "the replica has what its primary has, which is nothing", func() bool { return server.Do("DBSIZE") == "0" })
	var session storage.SessionID
	for name, call := range map[string]func() error{
		"rotate":        func() error { return c.rotate(s) },
		"grant":         func() error { _, err := s.Grant(t.Context(), c.request.Grant); return err },
		"create family": func() error { _, err := beginChain(s, "local|alice", 2); return err },
		"take code": func() error {
			_, err := s.TakeCode(t.Context(), storage.TakeRequest{User: user, DenyFor: time.Hour, Attempt: newAttempt()})
			return err
		},
		"put code": func() error {
			_, err := s.PutCode(t.Context(), storage.PutRequest{User: user, Lifetime: time.Hour})
			return err
		},
		"session": func() error {
			_, _, _, err := s.Session(t.Context(), user, session, 0, storage.ClientTag{})
			return err
		},
		"poll": func() error {
			_, err := s.PollDevice(t.Context(), storage.DevicePoll{Attempt: newAttempt()})
			return err
		},
		"decide": func() error {
			_, err := s.DecideDevice(t.Context(), storage.DeviceDecision{User: user, Attempt: newAttempt()})
			return err
		},
	} {
		if err := call(); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: what a replica does not know is refused for good: %v", name, err)
		}
	}
	other := New(Options{Addresses: []string{server.Addr}})
	defer other.Close()
	if _, err := other.Open(t.Context(), openRequest); !errors.Is(err, ErrUnreachable) {
		t.Errorf("opening a replica: %v", err)
	}
	server.Do("REPLICAOF", "NO", "ONE")
	if _, err := beginChain(s, "local|bob", 1); err != nil {
		t.Errorf("a primary again: %v", err)
	}
}

// TestOpenUnreachable: a start without Redis is told from one that needs fixing.
func TestOpenUnreachable(t *testing.T) {
	server := redistest.New(t)
	s := New(Options{Addresses: []string{server.Addr}})
	defer s.Close()
	_, err := s.Open(t.Context(), openRequest)
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), server.Addr) {
		t.Errorf("opening without Redis: %v", err)
	}
	server.Run()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := s.Open(t.Context(), openRequest); err == nil {
			break
		} else if time.Since(start) > 20*time.Second {
			t.Fatalf("Redis is there and the store does not open: %v", err)
		}
	}
}

// TestBirth empties the store under it: it has no birth until it is opened again, as a new one.
func TestBirth(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	first, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)
	if beat, err := s.Beat(t.Context(), storage.BeatRequest{}); err != nil || !beat.Born.Equal(first.Born) {
		t.Errorf("beat %+v, %v; born %v", beat, err, first.Born)
	}
	c := newChain(t, s, "local|alice")
	server.Do("FLUSHALL")
	if beat, err := s.Beat(t.Context(), storage.BeatRequest{}); err != nil || !beat.Born.IsZero() || beat.Now.IsZero() {
		t.Errorf("beat of an emptied store: %+v, %v", beat, err)
	}
	again, err := s.Open(t.Context(), openRequest)
	if err != nil || !again.Born.After(first.Born) || again.TokenLifetime != first.TokenLifetime {
		t.Errorf("opened %+v, %v; was %+v", again, err, first)
	}
	res, err := s.Rotate(t.Context(), c.request)
	if err != nil || res.Outcome != storage.RotateUnknown {
		t.Errorf("rotate after the store was emptied: %+v, %v", res, err)
	}
}

// TestConcurrentLoad keeps many callers busy while connections break: each gets
// its answer, and no family goes wrong.
func TestConcurrentLoad(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr)
	s := openStore(t, server, func(o *Options) { o.Addresses = []string{proxy.Addr}; o.Timeout = 5 * time.Second })
	var broken atomic.Bool // enough
	var wg sync.WaitGroup
	for i := range 16 {
		c, err := beginChain(s, "local|alice", uint64(i))
		mustDo(t, err)
		wg.Go(func() {
			for !broken.Load() {
				if err := c.rotate(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		proxy.Arm(redistest.After, 1)
		time.Sleep(longestPause) // no call is to be hit by more than it may lose
	}
	broken.Store(true)
	wg.Wait()
	wantFamilies(t, s, 16)
}
