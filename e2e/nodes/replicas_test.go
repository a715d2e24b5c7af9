package nodes

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// replicated is a primary with a replica that is in step.
func replicated(t *testing.T) (primary, replica *redistest.Server) {
	t.Helper()
	primary = redistest.Start(t)
	replica = redistest.Start(t, "--replicaof", "127.0.0.1 "+fmt.Sprint(primary.Port))
	within(t, "the replica", 20*time.Second, func() bool { return primary.Do("WAIT", "1", "100") == "1" })
	return primary, replica
}

// reuses is how many refresh tokens were taken for stolen ones.
func (s *site) reuses() (n float64) {
	for _, node := range s.nodes {
		if value, err := node.metric("caddy_oauth_events_total", `event="refresh_reuse_detected"`); err == nil { // else there was none
			n += value
		}
	}
	return n
}

// TestStrictReplicaAway: answers have to wait for a replica, which is away for
// longer than the leeway. Everybody is told to come again, and nobody loses a
// login by it; a thief who comes when it leaves is found out all the same.
func TestStrictReplicaAway(t *testing.T) {
	t.Parallel()
	primary, replica := replicated(t)
	s := startSite(t, siteOptions{Store: standalone(primary.Addr) + "\n\t\t\twait_replicas 1 1s strict", Leeway: 2 * time.Second})
	victim := s.newLogin(t, 0, 1)
	stolen := victim.refresh
	for i := range 2 {
		if v := victim.renew(i, nil); v != history.Done {
			t.Fatalf("refresh: %s", v)
		}
	}
	c := s.newCrowd(t, 8)
	done := c.run()
	c.busy(50)

	repair := s.broke()
	replica.Stop()
	if v := victim.steal(s.nodes[1], stolen); v != history.Unavailable {
		t.Errorf("the thief: %s", v)
	}
	within(t, "the alarm", 5*time.Second, func() bool { return s.nodes[1].logged("refresh_reuse_detected") })
	time.Sleep(3 * s.options.Leeway)
	replica.Continue()
	c.busy(50)
	repair()
	done()

	if v := victim.renewOnce(s.nodes[0]); v != history.Refused {
		t.Errorf("after the theft: %s", v)
	}
	if n := s.reuses(); n != 1 {
		t.Errorf("%v refresh tokens were taken for stolen ones, and one was", n)
	}
	s.check(map[history.Kind]int{history.Refresh: 100})
}

// TestLaxReplicaAway: the replica that answers wait for is away, which is counted
// and nothing else: people refresh, and those who are unknown to a gateway are let in.
func TestLaxReplicaAway(t *testing.T) {
	t.Parallel()
	primary, replica := replicated(t)
	s := startSite(t, siteOptions{Nodes: 1, Store: standalone(primary.Addr) + "\n\t\t\twait_replicas 1 1s", MaxLag: time.Second})
	c := s.newCrowd(t, 32)
	visitor := s.newLogin(t, 0, 0)
	done := c.run()
	c.busy(50)
	replica.Stop()
	for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(100 * time.Millisecond) {
		if v := visitor.call(s.nodes[0]); v != history.Done {
			t.Errorf("a guarded route: %s", v)
		}
	}
	c.busy(100)
	replica.Continue()
	done()
	s.check(map[history.Kind]int{history.Refresh: 200})
	if s.nodes[0].logged("did not answer") {
		t.Error("the primary was taken for dead")
	}
	if n, err := s.nodes[0].metric("caddy_oauth_store_unreplicated_total"); err != nil || n < 100 {
		t.Errorf("%v writes were counted (%v)", n, err)
	}
}
