package nodes

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestWatermarksPrimaryDies: the primary of a Cluster that holds the watermarks
// of clients dies, and its place is empty for longer than the leeway. Refreshes
// of other people's tokens go on, and nobody is logged out or taken for a thief.
// Later a client is ended for good, though its tokens lie elsewhere.
func TestWatermarksPrimaryDies(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	for _, server := range cluster.Servers {
		server.Do("CONFIG", "SET", "cluster-node-timeout", "5000")
	}
	s := startSite(t, siteOptions{
		Store:  "address " + strings.Join(cluster.Addrs()[:3], " ") + "\n\t\t\tcluster\n\t\t\ttimeout 3s",
		Leeway: 2 * time.Second, MaxLag: time.Second,
	})
	all := make([]*login, 12)
	for i := range all {
		all[i] = s.newLogin(t, i, 0)
	}
	time.Sleep(time.Second) // the replicas have it all
	repair := s.broke()
	cluster.Servers[cluster.Owner(cluster.Slot("gh:clients"))].Kill()
	var clients sync.WaitGroup
	for i, l := range all {
		clients.Go(func() {
			for range 3 {
				if v := l.renew(i, nil); v != history.Done {
					t.Errorf("client %d: %s", i, v)
				}
				time.Sleep(time.Second)
			}
		})
	}
	clients.Wait()
	within(t, "both nodes to be well", 30*time.Second, func() bool {
		return all[0].renewOnce(s.nodes[0]) == history.Done && all[0].renewOnce(s.nodes[1]) == history.Done
	})
	repair()
	s.check(map[history.Kind]int{history.Refresh: 3 * len(all)})
	for _, n := range s.nodes {
		if n.logged("refresh_reuse_detected") {
			t.Errorf("node %s took an honest client for a thief", n.name)
		}
	}

	// max_lag, and three calls of at most 3 s by clocks that are a second apart:
	// longer than Caddy gives a request of its admin API.
	start := time.Now()
	out, err := exec.Command(caddy, "oauth", "clients", "end", "app", "--address", s.nodes[0].admin).CombinedOutput()
	took := time.Since(start)
	if err != nil || !strings.Contains(string(out), "waiting until every gateway must have heard of the end") || !strings.Contains(string(out), "ended: everything that app held") {
		t.Errorf("ending the client: %v\n%s", err, out)
	}
	if took < 13*time.Second || took > 20*time.Second {
		t.Errorf("the end was confirmed after %v", took)
	}
	for i, l := range all {
		if v := l.renewOnce(s.nodes[i%2]); v != history.Refused {
			t.Errorf("client %d after the end: %s", i, v)
		}
		if v := l.call(s.nodes[i%2]); v != history.Refused {
			t.Errorf("an access token of client %d after the end: %s", i, v)
		}
	}
}
