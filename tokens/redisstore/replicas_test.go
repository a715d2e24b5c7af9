package redisstore

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestWaitReplicasUnderSentinel: with `strict`, what was answered is on the
// replicas when the primary dies in the next moment..
func TestWaitReplicasUnderSentinel(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	t.Parallel()
	sentinels := redistest.StartSentinels(t)
	s := waiting(t, Options{Mode: Sentinel, MasterName: redistest.MasterName, Addresses: sentinels.Addrs}, 2)
	wantKept(t, s, func() { sentinels.Primary().Kill() })
}

// TestWaitReplicasInACluster: the same where each user has a primary of their own.
func TestWaitReplicasInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	t.Parallel()
	nodes := redistest.StartCluster(t)
	s := waiting(t, Options{Mode: Cluster, Addresses: nodes.Addrs()}, 1)
	wantKept(t, s, func() { nodes.Servers[nodes.Owner(nodes.Slot(s.userKey(user, held)))].Kill() })
}

// waiting opens a store that waits for replicas, of which none may be missed.
func waiting(t *testing.T, o Options, replicas int) *Store {
	t.Helper()
	var missed atomic.Int32
	o.KeyPrefix = prefix()
	o.WaitReplicas = WaitReplicas{Number: replicas, Timeout: 10 * time.Second, Strict: true}
	o.OnUnreplicated = func() { missed.Add(1) }
	s := New(o)
	t.Cleanup(func() { _ = s.Close() })
	_, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)
	c := newChain(t, s, "local|before")
	for range 50 {
		mustDo(t, c.rotate(s))
	}
	if n := missed.Load(); n != 0 {
		t.Fatalf("%d writes were not replicated", n)
	}
	return s
}

// wantKept ends a family, has its primary killed at once, and looks for the end
// on the one that takes over, as a node sees it that has nothing to repeat.
func wantKept(t *testing.T, s *Store, kill func()) {
	t.Helper()
	id := storage.TokenID{5}
	mustDo(t, s.DenyToken(t.Context(), user, id, time.Now().Add(time.Hour)))
	kill()
	s.journal.mu.Lock()
	s.journal.entries = nil
	s.journal.mu.Unlock()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		d, err := s.Denials(t.Context(), []storage.UserTag{user})
		if err == nil && d[0].Err == nil {
			if len(d[0].Entries) != 1 || d[0].Entries[0].ID != id {
				t.Errorf("what was confirmed is gone: %+v", d[0])
			}
			return
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("no new primary: %v", err)
		}
	}
}
