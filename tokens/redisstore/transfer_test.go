package redisstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// TestMoveBetweenKinds moves everything from an embedded database to Redis, and back.
func TestMoveBetweenKinds(t *testing.T) {
	t.Parallel()
	server, cluster := redistest.Start(t), redistest.StartCluster(t)
	// mover makes stores of each kind with one clock.
	type mover struct {
		now    time.Time
		newest *Store
	}
	redis := func(m *mover, o Options) storage.Store {
		o.KeyPrefix, o.Timeout = prefix(), 10*time.Second
		m.newest = New(o)
		m.newest.loaded.Store(atTime(m.now))
		m.newest.stopAfter = atOnce
		return m.newest
	}
	kinds := map[string]func(t *testing.T, m *mover) storage.Store{
		"standalone": func(_ *testing.T, m *mover) storage.Store { return redis(m, Options{Addresses: []string{server.Addr}}) },
		"cluster": func(_ *testing.T, m *mover) storage.Store {
			return redis(m, Options{Addresses: cluster.Addrs(), Mode: Cluster})
		},
		"bolt": func(t *testing.T, m *mover) storage.Store {
			return boltstore.New(boltstore.Options{
				Path: filepath.Join(t.TempDir(), "gatehouse.db"), Clock: func() time.Time { return m.now },
			})
		},
	}
	for _, way := range [][2]string{{"bolt", "standalone"}, {"standalone", "bolt"}, {"bolt", "cluster"}, {"cluster", "standalone"}} {
		t.Run(way[0]+" to "+way[1], func(t *testing.T) {
			t.Parallel()
			storetest.RunTransfers(t, func(t *testing.T) storetest.Harness {
				m := &mover{now: time.Date(2030, 1, 2, 3, 4, 5, 678_000_000, time.UTC)}
				source := kinds[way[0]](t, m)
				var again func(t *testing.T) storage.Store
				switch s := source.(type) {
				case *Store:
					again = func(*testing.T) storage.Store {
						o := s.options
						next := New(o)
						next.loaded.Store(atTime(m.now))
						next.stopAfter = atOnce
						return next
					}
				default:
					again = func(t *testing.T) storage.Store {
						t.Skip("as bolt itself is tested")
						return nil
					}
				}
				return storetest.Harness{
					Store: source, Reopen: again, Empty: func(t *testing.T) storage.Store { return kinds[way[1]](t, m) },
					Advance: func(d time.Duration) {
						m.now = m.now.Add(d)
						if m.newest != nil {
							m.newest.move(atTime(m.now))
						}
					},
				}
			})
		})
	}
}

// atOnce is Store.stopAfter where there is no other node.
func atOnce(*Options) time.Duration { return 0 }

// TestExportWaitsForWaiters: a call that may wait for replicas takes longer, and
// what it ends is in the export all the same.
func TestExportWaitsForWaiters(t *testing.T) {
	t.Parallel()
	primary, _ := replicated(t)
	node := func() *Store {
		return openStore(t, primary, func(o *Options) {
			o.Timeout, o.WaitReplicas = 200*time.Millisecond, WaitReplicas{Number: 1, Timeout: 3 * time.Second}
		})
	}
	exporter, other := node(), node()
	exporter.leaseFor = 200 * time.Millisecond
	c := other.conn
	var busy []func() // all that may wait do
	for range c.options.mayWait() {
		done, err := c.waits.take(t.Context(), anywhere, c.options.mayWait())
		mustDo(t, err)
		busy = append(busy, done)
	}
	answer := make(chan error, 1)
	go func() { answer <- other.DenyToken(t.Context(), user, storage.TokenID{5}, time.Now().Add(time.Hour)) }()
	time.Sleep(200 * time.Millisecond) // it has seen no export
	go func() {
		time.Sleep(time.Second)
		for _, done := range busy {
			done()
		}
	}()
	exported := false
	mustDo(t, exporter.Export(t.Context(), func(r storage.Record) error {
		exported = exported || r.Denied != nil
		return nil
	}))
	if err := <-answer; err != nil {
		t.Errorf("denying a token: %v", err)
	} else if !exported {
		t.Error("a token was denied, and the export does not know")
	}
}

// TestExportStopsOtherNodes: a node that knows nothing of the export decides
// nothing once the export reads.
func TestExportStopsOtherNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	brief := func(o *Options) { o.Timeout = 3 * time.Second }
	exporter, other := openStore(t, server, brief), openStore(t, server, brief)
	exporter.leaseFor, other.leaseFor = time.Second, time.Second
	chain := newChain(t, other, "local|alice")
	rotations := make(chan int, 1)
	stopped := make(chan struct{})
	var once sync.Once
	go func() {
		for n := 0; ; n++ {
			if err := chain.rotate(other); err != nil {
				if !errors.Is(err, storage.ErrMoved) {
					t.Error(err)
				}
				rotations <- n
				return
			}
		}
	}()
	var generation uint32
	err := exporter.Export(t.Context(), func(r storage.Record) error {
		once.Do(func() { close(stopped) })
		if r.Held != nil {
			generation = r.Held.Families[0].Generation
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-stopped
	if n := <-rotations; int(generation) != n+1 {
		t.Errorf("exported at generation %d, but the other node has rotated %d times", generation, n)
	}
	if was, err := exporter.Resume(t.Context()); err != nil || !was {
		t.Errorf("Resume: %v, %v", was, err)
	}
	deadline := time.Now().Add(2 * leaseFor)
	for err = chain.rotate(other); err != nil && time.Now().Before(deadline); err = chain.rotate(other) {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("after the export was called off: %v", err)
	}
}

// TestExportRefusesWhatItDoesNotKnow: to leave it out could revive what was ended.
func TestExportRefusesWhatItDoesNotKnow(t *testing.T) {
	server := redistest.Start(t)
	for i, key := range []string{"new", "{" + storage.TagSubject("local|alice").String() + "}x"} {
		t.Run(key, func(t *testing.T) {
			s := openStore(t, server, func(o *Options) { o.KeyPrefix = fmt.Sprintf("unknown%d:", i) })
			s.stopAfter = atOnce
			server.Do("SET", s.key(key), "1")
			err := s.Export(t.Context(), func(storage.Record) error { return nil })
			if err == nil || errors.Is(err, ErrUnreachable) {
				t.Errorf("Export: %v", err)
			}
			if err := s.PutGrant(t.Context(), storage.GrantID{1}, []byte("text"), time.Hour); err != nil {
				t.Errorf("the export has failed, and the store is stopped all the same: %v", err)
			}
		})
	}
}

// TestScanOfACluster while slots move: it may have missed keys, and says so.
func TestScanOfACluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t)
	s := New(Options{Addresses: nodes.Addrs(), Mode: Cluster})
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Open(t.Context(), openRequest); err != nil {
		t.Fatal(err)
	}
	newChain(t, s, "local|alice")
	scan := func(each func()) error {
		found := 0
		err := s.ScanUsers(t.Context(), storage.PartHeld, func(storage.Record) error {
			found++
			each()
			return nil
		})
		if err == nil && found != 1 {
			t.Errorf("%d users, want 1", found)
		}
		return err
	}
	if err := scan(func() {}); err != nil {
		t.Fatal(err)
	}
	slot := nodes.Slot(s.userKey(storage.TagSubject("local|alice"), held))
	from := nodes.Owner(slot)
	moved := false
	err := scan(func() {
		if !moved {
			moved = true
			nodes.Move(t, slot, from, (from+1)%3, func() {})
		}
	})
	if !errors.Is(err, errReshaped) {
		t.Errorf("a scan while a slot moves: %v", err)
	}
	if err := scan(func() {}); err != nil {
		t.Errorf("a scan when it has moved: %v", err)
	}
}
