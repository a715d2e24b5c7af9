package nodes

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestServerRefusesWrites: Redis takes no writes for a while, since it is full or
// its name leads to a replica. Everybody is told to come again, nobody is logged
// out, and what was revoked before stays so.
func TestServerRefusesWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		down, repairs func(server, other *redistest.Server)
	}{
		{
			"memory full",
			func(server, _ *redistest.Server) { config("maxmemory", "1")(server) },
			func(server, _ *redistest.Server) { config("maxmemory", "0")(server) },
		},
		{
			"a replica", // as after a failover behind one name; and back again
			func(server, other *redistest.Server) { follow(server, other) },
			func(server, other *redistest.Server) { follow(other, server) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, other := replicated(t)
			s := startSite(t, siteOptions{Store: standalone(server.Addr)})
			clients := s.newCrowd(t, 8)
			done := clients.run()
			clients.busy(50)
			l := s.newLogin(t, 0, 1)
			if v := l.revoke(s.nodes[0]); v != history.Done {
				t.Fatalf("revoking: %s", v)
			}
			time.Sleep(time.Second) // longer than the promised lag, and the replica has it
			repair := s.broke()
			c.down(server, other)
			for start := time.Now(); time.Since(start) < 3*time.Second; time.Sleep(100 * time.Millisecond) {
				for _, n := range s.nodes {
					if v := l.call(n); v == history.Done {
						t.Error("a revoked access token passes")
					}
				}
			}
			c.repairs(server, other)
			repair()
			clients.busy(50)
			done()
			s.check(map[history.Kind]int{history.Refresh: 100, history.Revoke: 1})
		})
	}
}

// follow makes a server, which may be a primary, the replica of another one.
func follow(server, primary *redistest.Server) {
	primary.Do("REPLICAOF", "NO", "ONE")
	server.Do("REPLICAOF", "127.0.0.1", strconv.Itoa(primary.Port))
}

// TestStaleReplicaPromoted: the replicas have not heard of the last seconds when
// one is promoted. Clients go on by the newest token they have, with an alarm,
// and what these gateways have revoked stays revoked.
func TestStaleReplicaPromoted(t *testing.T) {
	t.Parallel()
	sentinels := redistest.StartSentinels(t)
	s := startSite(t, siteOptions{Store: sentinel(sentinels)})
	all, revoked := make([]*login, 12), make([]*login, 4)
	for i := range all {
		all[i] = s.newLogin(t, i, i+1)
	}
	for i := range revoked {
		revoked[i] = s.newLogin(t, i, i+1)
	}
	primary := sentinels.Primary()
	within(t, "the replicas to have it all", 10*time.Second, func() bool { return primary.Do("WAIT", "2", "1000") == "2" })
	primary.Do("ACL", "SETUSER", "default", "-psync", "-sync")
	primary.Do("CLIENT", "KILL", "TYPE", "replica")
	for i := range 2 {
		for _, l := range all {
			if v := l.renew(i, nil); v != history.Done {
				t.Fatalf("refresh: %s", v)
			}
		}
	}
	for i, l := range revoked {
		if v := l.revoke(s.nodes[i%2]); v != history.Done {
			t.Fatalf("revoking: %s", v)
		}
		s.refusedSoon(t, l, s.nodes[(i+1)%2])
	}
	repair := s.broke()
	primary.Kill()
	for i, l := range all {
		if v := l.renew(i, nil); v != history.Done {
			t.Fatalf("refresh after the failover: %s\n%s", v, s.recent())
		}
	}
	within(t, "both nodes to be well", 10*time.Second, func() bool {
		return all[0].renew(0, nil) == history.Done && s.nodes[0].logged("other_primary") && s.nodes[1].logged("other_primary")
	})
	repair()
	for i, l := range revoked {
		for _, n := range s.nodes {
			if v := l.call(n); v != history.Refused {
				t.Errorf("a revoked access token after the failover: %s", v)
			}
		}
		if v := l.renewOnce(s.nodes[i%2]); v != history.Refused {
			t.Errorf("a revoked refresh token after the failover: %s", v)
		}
	}
	for i, l := range all {
		if v := l.renew(i+1, nil); v != history.Done {
			t.Errorf("and again: %s", v)
		}
	}
	s.check(map[history.Kind]int{history.Refresh: 4 * len(all), history.Revoke: len(revoked)})
	healed := 0.0
	for _, n := range s.nodes {
		if value, err := n.metric("caddy_oauth_events_total", `event="store_rollback"`); err == nil {
			healed += value
		}
		if n.logged("refresh_reuse_detected") {
			t.Errorf("node %s took an honest client for a thief", n.name)
		}
	}
	if healed < float64(len(all)-1) { // a script that is sent again finds its own work, and heals nothing
		t.Errorf("%v alarms for %d clients that the store was behind", healed, len(all))
	}
}

// TestPartOfAClusterDown: a primary and its replica are gone. It is as
// docs/redis.md says to the people whose place that is, and nobody else notices.
func TestPartOfAClusterDown(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	s := startSite(t, siteOptions{Nodes: 1, Store: "address " + strings.Join(cluster.Addrs()[:3], " ") + "\n\t\t\tcluster", MaxLag: time.Second})
	n := s.nodes[0]
	place := func(l *login) int {
		return cluster.Owner(cluster.Slot(fmt.Sprintf("gh:{%s}u", storage.TagSubject("local|"+l.person.user))))
	}
	all := make([]*login, 12)
	for i := range all {
		all[i] = s.newLogin(t, 0, 0)
	}
	shared := map[int]bool{cluster.Owner(cluster.Slot("gh:clients")): true, cluster.Owner(cluster.Slot("gh:{feed}e")): true}
	var here, elsewhere *login
	for _, l := range all {
		if victim := place(l); !shared[victim] {
			here = l
		} else {
			elsewhere = l
		}
	}
	if here == nil || elsewhere == nil {
		t.Fatal("of twelve people nobody lies in that part, or everybody")
	}
	victim := place(here)
	cluster.Servers[victim+3].Kill()
	cluster.Servers[victim].Kill()
	var got seen
	within(t, "the failure to be seen", 15*time.Second, func() bool {
		got = s.look(t, n, here, here)
		return got == seen{503, 503, 503, 200, ""}
	})
	for range 20 {
		if v := elsewhere.renew(0, nil); v != history.Done {
			t.Errorf("refresh elsewhere: %s", v)
		}
		if v := elsewhere.call(n); v != history.Done {
			t.Errorf("call elsewhere: %s", v)
		}
	}
}

// TestFeedCut: the feed can be neither read nor followed. A revocation takes at
// most max_lag at the other node, and nobody notices else.
func TestFeedCut(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := startSite(t, siteOptions{Store: standalone(server.Addr), MaxLag: 3 * time.Second})
	l, spare := s.newLogin(t, 0, 1), s.newLogin(t, 0, 1)
	server.Do("ACL", "SETUSER", "default", "-xread")
	server.Do("CLIENT", "KILL", "TYPE", "normal")
	within(t, "the feed to be missed", 20*time.Second, func() bool {
		value, err := s.nodes[1].metric("caddy_oauth_feed_lag_seconds")
		return err == nil && value > 5
	})
	if v := spare.call(s.nodes[1]); v != history.Done {
		t.Fatalf("call: %s", v)
	}
	if got := s.look(t, s.nodes[0], l, spare); got != (seen{200, 200, 200, 200, ""}) {
		t.Errorf("seen %+v", got)
	}
	revoked := time.Now()
	for spare.call(s.nodes[1]) != history.Refused {
		if time.Since(revoked) > s.options.MaxLag+5*time.Second {
			t.Fatalf("accepted %v after its end", time.Since(revoked))
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("refused %v after its end", time.Since(revoked).Round(time.Millisecond))
}
