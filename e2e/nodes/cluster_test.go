package nodes

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestClusterFaults: two gateways over a Redis Cluster. While honest clients use
// them, the slots of some move to other primaries, which nobody notices; and the
// primary of the rest, which everybody needs, dies by kill -9, and its replica
// takes over. I1 to I6 hold, without an excuse where answers wait for a replica
//
func TestClusterFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, wait string
	}{
		{"answers do not wait", ""},
		{"answers wait for a replica", "\n\t\t\twait_replicas 1 3s strict"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t)
			s := startSite(t, siteOptions{Leeway: 30 * time.Second, Store: "address " + strings.Join(cluster.Addrs()[:3], " ") + "\n\t\t\tcluster\n\t\t\ttimeout 3s" + c.wait})
			crowd := s.newCrowd(t, 9)
			crowd.rest = 50 * time.Millisecond
			crowd.lose = sometimes(0.1)
			done := crowd.run()
			s.moveSlots(t, cluster, crowd.all[:4])
			crowd.busy(20)

			ended := s.newLogin(t, 0, 1)
			if v := ended.revoke(s.nodes[0]); v != history.Done {
				t.Fatalf("revoking: %s", v)
			}
			repair := s.broke()
			if c.wait == "" {
				s.losing()
			}
			s.failOver(t, cluster, cluster.Owner(cluster.Slot("gh:clients")))
			crowd.busy(20)
			repair()
			for _, n := range s.nodes {
				if v := ended.call(n); v != history.Refused {
					t.Errorf("an access token that was revoked before the failover, at %s: %s", n.name, v)
				}
				if v := ended.renewOnce(n); v != history.Refused {
					t.Errorf("a refresh token that was revoked before the failover, at %s: %s", n.name, v)
				}
			}
			crowd.busy(50)
			l := s.newLogin(t, 1, 0)
			if v := l.signOut(s.nodes[1]); v != history.Done {
				t.Errorf("signing out: %s", v)
			}
			s.refusedSoon(t, l, s.nodes[0])
			done()
			s.check(map[history.Kind]int{history.Refresh: 100, history.Call: 300, history.Revoke: 1, history.SignOut: 1})
			if n := s.reuses(); n != 0 {
				t.Errorf("%v honest clients were taken for thieves", n)
			}
		})
	}
}

// moveSlots moves what belongs to some people to the next primary.
func (s *site) moveSlots(t *testing.T, cluster *redistest.Nodes, logins []*login) {
	t.Helper()
	for _, l := range logins {
		slot := cluster.Slot("gh:{" + storage.TagSubject("local|"+l.person.user).String() + "}u")
		from := cluster.Owner(slot)
		cluster.Move(t, slot, from, (from+1)%3, func() { time.Sleep(20 * time.Millisecond) })
		time.Sleep(100 * time.Millisecond)
	}
}

// failOver kills a primary and waits until its replica serves in its place, and
// has the one that was killed for a replica.
func (s *site) failOver(t *testing.T, cluster *redistest.Nodes, primary int) {
	t.Helper()
	dead, heir := cluster.Servers[primary], cluster.Servers[primary+3]
	dead.Kill()
	start := time.Now()
	within(t, "another primary", 30*time.Second, func() bool { return strings.HasPrefix(heir.Do("ROLE"), "master") })
	t.Logf("another primary after %v", time.Since(start).Round(time.Millisecond))
	dead.Run()
	within(t, "a replica of it", 30*time.Second, func() bool { return strings.Contains(heir.Do("INFO", "replication"), "state=online") })
}
