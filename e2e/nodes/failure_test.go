package nodes

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// seen is what a client, a load balancer and an operator see of a node.
type seen struct {
	refresh, revoke, call, health int
	log                           string // the message of a line that is there
}

// look asks a node for all of it. The revocation is of a login that is to spare.
func (s *site) look(t *testing.T, n *node, l, spare *login) seen {
	t.Helper()
	var got seen
	for _, ask := range []struct {
		status *int
		r      *http.Request
		bearer bool
	}{
		{&got.refresh, s.post("/oauth/token", url.Values{"client_id": {"app"}, "grant_type": {"refresh_token"}, "refresh_token": {l.refresh}}), false},
		{&got.revoke, s.post("/oauth/revoke", url.Values{"client_id": {"app"}, "token": {spare.refresh}}), false},
		{&got.call, s.get("http://api.example.com/orders"), true},
		{&got.health, s.get(s.issuer + "oauth/health"), false},
	} {
		if ask.bearer {
			ask.r.Header.Set("Authorization", "Bearer "+l.access)
		}
		resp, err := n.client.Do(ask.r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		*ask.status = resp.StatusCode
		if resp.StatusCode != http.StatusServiceUnavailable {
			continue
		}
		if resp.Header.Get("Retry-After") == "" || strings.HasPrefix(string(body), "{") {
			t.Errorf("%s: a 503 that says %q, with Retry-After %q", ask.r.URL.Path, body, resp.Header.Get("Retry-After"))
		}
	}
	return got
}

// TestFailuresSeenFromOutside: what docs/troubleshooting.md says that each failure
// looks like, and that it ends by itself within two seconds.
func TestFailuresSeenFromOutside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		down, repairs func(*redistest.Server)
		want          seen
	}{
		{"killed", (*redistest.Server).Kill, (*redistest.Server).Run, seen{503, 503, 503, 503, "store_trouble"}},
		{"stopped", (*redistest.Server).Stop, (*redistest.Server).Continue, seen{503, 503, 503, 503, "store_trouble"}},
		{"memory full", config("maxmemory", "1"), config("maxmemory", "0"), seen{503, 200, 200, 200, "its memory is full"}},
		{
			"a replica", func(r *redistest.Server) { r.Do("REPLICAOF", "127.0.0.1", "1") },
			func(r *redistest.Server) { r.Do("REPLICAOF", "NO", "ONE") },
			seen{503, 503, 200, 200, "READONLY"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--replica-read-only", "yes")
			s := startSite(t, siteOptions{Nodes: 1, Store: standalone(server.Addr), MaxLag: time.Second})
			n := s.nodes[0]
			l, spare := s.newLogin(t, 0, 0), s.newLogin(t, 0, 0)
			if got := s.look(t, n, l, s.newLogin(t, 0, 0)); got != (seen{200, 200, 200, 200, ""}) {
				t.Fatalf("before: %+v", got)
			}
			l.renew(0, nil)
			c.down(server)
			var got seen
			within(t, "the failure to be seen", 15*time.Second, func() bool {
				got = s.look(t, n, l, spare)
				return got.refresh == c.want.refresh && got.call == c.want.call && got.health == c.want.health
			})
			if got.log = c.want.log; got != c.want || !n.logged(c.want.log) {
				t.Errorf("seen %+v, want %+v; in the log: %v", got, c.want, n.logged(c.want.log))
			}
			c.repairs(server)
			if c.name == "killed" {
				return // it keeps nothing on disk: what follows is another test's
			}
			within(t, "all to be well", 20*time.Second, func() bool {
				return s.look(t, n, l, spare) == (seen{200, 200, 200, 200, ""})
			})
		})
	}
}

func config(name, value string) func(*redistest.Server) {
	return func(r *redistest.Server) { r.Do("CONFIG", "SET", name, value) }
}

// TestEmptiedRedis: after a FLUSHALL everybody has to log in again, by
// invalid_grant and 401, with an alarm; nobody is taken for a thief.
func TestEmptiedRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := startSite(t, siteOptions{Store: standalone(server.Addr)})
	l := s.newLogin(t, 0, 1)
	for _, n := range s.nodes {
		if v := l.call(n); v != history.Done {
			t.Fatalf("call: %s", v)
		}
	}
	server.Do("FLUSHALL")
	for _, n := range s.nodes {
		within(t, "an old token to be refused", 5*time.Second, func() bool { return l.call(n) == history.Refused })
		within(t, "the alarm", 5*time.Second, func() bool { return n.logged(`"msg":"store_new"`) })
		if v := l.renewOnce(n); v != history.Refused {
			t.Errorf("an old refresh token: %s", v)
		}
		if n.logged("refresh_reuse_detected") {
			t.Error("an honest client was taken for a thief")
		}
	}
	again := s.newLogin(t, 1, 0)
	for i, n := range s.nodes {
		within(t, "a new token to be accepted", 5*time.Second, func() bool { return again.call(n) == history.Done })
		if v := again.renew(i, nil); v != history.Done {
			t.Errorf("a new refresh token: %s", v)
		}
	}
}

// TestRestoredBackup: Redis comes back with what it held a while ago. Clients go
// on where they are, with an alarm, and what was revoked since lives again, as
// docs/backup.md says (R-49, RT-19, RT-20).
func TestRestoredBackup(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := startSite(t, siteOptions{Store: standalone(server.Addr)})
	l := s.newLogin(t, 0, 1)
	if v := l.renew(0, nil); v != history.Done {
		t.Fatalf("refresh: %s", v)
	}
	server.Do("SAVE")
	for i := range 5 {
		if v := l.renew(i, nil); v != history.Done {
			t.Fatalf("refresh: %s", v)
		}
	}
	server.Kill()
	server.Run()
	if v := l.renew(0, nil); v != history.Done {
		t.Fatalf("a client after the restore: %s\n%s", v, s.recent())
	}
	if v := l.renew(1, nil); v != history.Done {
		t.Errorf("and again: %s", v)
	}
	healed := 0.0
	for _, n := range s.nodes {
		value, err := n.metric("caddy_oauth_events_total", `event="store_rollback"`)
		if err != nil {
			t.Fatal(err)
		}
		healed += value
	}
	if healed == 0 {
		t.Error("no alarm")
	}
}

// TestLeastRights: an ACL user with the rights that docs/redis.md names has enough.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, strings.Fields("--user gatehouse on >secret "+leastRights)...)
	s := startSite(t, siteOptions{Store: standalone(server.Addr) + "\n\t\t\tusername gatehouse\n\t\t\tpassword secret"})
	c := s.newCrowd(t, 4)
	done := c.run()
	for range 3 {
		l := s.newLogin(t, 0, 1)
		if v := l.revoke(s.nodes[0]); v != history.Done {
			t.Errorf("revoking: %s", v)
		}
		s.refusedSoon(t, l, s.nodes[1])
		l = s.newLogin(t, 1, 0)
		if v := l.signOut(s.nodes[1]); v != history.Done {
			t.Errorf("signing out: %s", v)
		}
	}
	c.busy(50)
	if _, err := s.nodes[0].adminDo(http.MethodPost, "/oauth/keys/rotate", "", nil); err != nil {
		t.Error(err)
	}
	done()
	s.check(map[history.Kind]int{history.Refresh: 50, history.Revoke: 3, history.SignOut: 3})
	if log := server.Do("ACL", "LOG"); log != "" {
		t.Errorf("refused by the ACL: %s", log)
	}
	for _, n := range s.nodes {
		if strings.Contains(n.logs(), "NOPERM") {
			t.Errorf("node %s was refused a command: %s", n.name, n.logs())
		}
	}
}

// leastRights and, in a Cluster, clusterRights are in docs/redis.md.
const (
	leastRights   = "~gh:* +@read +@write +@scripting +@connection +time +wait -@dangerous +info"
	clusterRights = "+command +cluster|slots +cluster|shards +cluster|nodes"
)

// TestClusterWithLeastRights: two gateways over a Redis Cluster, with the same
// block and the rights that docs/redis.md names.
func TestClusterWithLeastRights(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	rights := strings.Fields("ACL SETUSER gatehouse on >secret " + leastRights + " " + clusterRights)
	for _, server := range cluster.Servers {
		server.Do(rights...)
	}
	s := startSite(t, siteOptions{
		Store: "address " + strings.Join(cluster.Addrs()[:3], " ") + "\n\t\t\tcluster\n\t\t\tusername gatehouse\n\t\t\tpassword secret\n\t\t\ttimeout 2s",
	})
	c := s.newCrowd(t, 8)
	c.lose = sometimes(0.1)
	done := c.run()
	for range 5 {
		l := s.newLogin(t, 0, 1)
		if v := l.revoke(s.nodes[0]); v != history.Done {
			t.Errorf("revoking: %s", v)
		}
		s.refusedSoon(t, l, s.nodes[1])
	}
	c.busy(50)
	done()
	s.check(map[history.Kind]int{history.Refresh: 50, history.Revoke: 5})
	for _, server := range cluster.Servers {
		if log := server.Do("ACL", "LOG"); log != "" {
			t.Errorf("refused by the ACL: %s", log)
		}
	}
}
