package nodes

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestReloadsUnderLoadRedis: both nodes are reloaded over and over under load,
// with settings that change and with ones that do not load. No request fails,
// and nothing is left behind.
func TestReloadsUnderLoadRedis(t *testing.T) {
	t.Parallel()
	const reloads = 60
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	c := s.newCrowd(t, 6)
	// One reload each: the first makes what all later ones share.
	for _, n := range s.nodes {
		if err := n.reload(); err != nil {
			t.Fatal(err)
		}
	}
	var before []history.Sample
	for _, n := range s.nodes {
		sample, err := n.sample()
		if err != nil {
			t.Fatal(err)
		}
		before = append(before, sample)
	}
	done := c.run()
	api := s.options.API
	for i := range reloads {
		s.options.API = api
		s.options.MaxLag = []time.Duration{10 * time.Second, 5 * time.Second}[i/2%2] // else Caddy has nothing to do
		n := s.nodes[i%len(s.nodes)]
		if err := n.reload(); err != nil {
			t.Fatalf("reload %d: %v", i, err)
		}
		if i%10 == 0 {
			s.options.API = "no_such_directive"
			if err := n.reload(); err == nil || !strings.Contains(err.Error(), "no_such_directive") {
				t.Errorf("a configuration that is wrong: %v", err)
			}
		}
	}
	s.options.API = api
	c.busy(50)
	done()
	for i, n := range s.nodes {
		within(t, "node "+n.name+" to be as before", 30*time.Second, func() bool {
			n.client.CloseIdleConnections()
			now, err := n.sample()
			return err == nil && now.Goroutines <= before[i].Goroutines+20 && now.Files <= before[i].Files+20
		})
	}
	s.check(map[history.Kind]int{history.Refresh: 50, history.Call: 150})
	for _, o := range s.history.Ops() {
		if o.Verdict == history.Lost {
			t.Logf("a connection was cut: %s", o)
		}
	}
}

// TestReloadChangesRedis: a reload moves a node to another Redis and back, under
// load at the other node. What the first Redis held is there again.
func TestReloadChangesRedis(t *testing.T) {
	t.Parallel()
	first, second := redistest.Start(t), redistest.Start(t)
	s := startSite(t, siteOptions{Nodes: 1, Store: standalone(first.Addr)})
	n := s.nodes[0]
	l := s.newLogin(t, 0, 0)
	for round := range 3 {
		n.store = standalone(second.Addr)
		if err := n.reload(); err != nil {
			t.Fatal(err)
		}
		o := s.begin(n, history.Refresh, "elsewhere", l.refresh)
		o.Theft = true // it does not belong here
		if a, err := o.send(nil, s.post("/oauth/token", map[string][]string{
			"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {l.refresh},
		}), kept); err != nil || a.status != 400 {
			t.Errorf("round %d: a token of the first Redis at the second: %d %s, %v", round, a.status, a.body, err)
		}
		n.store = ""
		if err := n.reload(); err != nil {
			t.Fatal(err)
		}
		if v := l.renew(0, nil); v != history.Done {
			t.Errorf("back on the first Redis: %s", v)
		}
	}
	within(t, "the connections to the second Redis to be closed", 20*time.Second, func() bool {
		return strings.Contains(second.Do("INFO", "clients"), "connected_clients:1\r\n")
	})
	s.check(nil)
}

// TestReloadDuringALogin: the page of a login is shown before a reload and
// posted after it, at the other node; the code is issued before a reload and
// redeemed after it.
func TestReloadDuringALogin(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	for round := range 4 {
		p := s.newPerson()
		p.between = func() {
			for _, n := range s.nodes {
				if err := n.reload(); err != nil {
					t.Fatal(err)
				}
			}
		}
		c, v := p.authorize(s.nodes[round%2])
		if v != history.Done {
			t.Fatalf("a login with a reload between: %s: %s", v, s.recent())
		}
		p.between()
		l, v := p.redeem(s.nodes[(round+1)%2], c, kept)
		if v != history.Done {
			t.Fatalf("a code with a reload between: %s: %s", v, s.recent())
		}
		if v := l.call(s.nodes[0]); v != history.Done {
			t.Errorf("call: %s", v)
		}
	}
	s.check(map[history.Kind]int{history.Login: 4, history.Redeem: 4, history.Call: 4})
}

// TestReloadWhileRedisIsAway: guarded routes go on as `allow_stale` says, though
// the new configuration can't be applied to the store yet. It is when Redis is back.
func TestReloadWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := startSite(t, siteOptions{Nodes: 1, Store: standalone(server.Addr), MaxLag: time.Second, Denylist: "on_store_failure allow_stale 30m"})
	n, l := s.nodes[0], s.newLogin(t, 0, 0)
	if v := l.call(n); v != history.Done {
		t.Fatalf("call: %s", v)
	}
	server.Stop()
	within(t, "the node to notice", 10*time.Second, func() bool { return n.logged(`"store_trouble"`) })
	time.Sleep(2 * time.Second) // older than max_lag
	if v := l.call(n); v != history.Done {
		t.Fatalf("call while Redis is away: %s", v)
	}
	s.options.API, s.options.Denylist = "header X-Config new", "on_store_failure deny"
	if err := n.reload(); err != nil {
		t.Fatal(err)
	}
	slow := 0
	for range 20 {
		start := time.Now()
		if v := l.call(n); v != history.Done {
			t.Errorf("call after the reload: %s", v)
		}
		if time.Since(start) > time.Second {
			slow++
		}
		time.Sleep(100 * time.Millisecond)
	}
	if slow > 5 { // the machine may be busy; a guard that waits for the store is slow each time
		t.Errorf("%d of 20 calls took over a second", slow)
	}
	if v := l.renewOnce(n); v != history.Unavailable {
		t.Errorf("refresh while Redis is away: %s", v)
	}
	server.Continue()
	within(t, "all to be well", 10*time.Second, func() bool { return l.renewOnce(n) == history.Done && l.call(n) == history.Done })

	// The settings of the new configuration hold from now on.
	server.Stop()
	within(t, "routes to be denied", 10*time.Second, func() bool { return l.call(n) == history.Unavailable })
	server.Continue()
}

// R11: after a reload that is refused when all has been adapted, the command acts
// on what serves, and a good reload and the stop work.
func TestCommandAfterRefusedReloads(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Nodes: 1, Store: standalone(redistest.Start(t).Addr)})
	n := s.nodes[0]
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	for name, change := range map[string]func(*siteOptions){
		"a secret that is not set":  func(o *siteOptions) { o.Secrets = []string{"{env.GATEHOUSE_NOT_SET}"} },
		"a store of another secret": func(o *siteOptions) { o.Secrets = []string{newSecret()} },
		"a taken port":              func(o *siteOptions) { o.API = "respond ok\n}\nhttp://" + busy.Addr().String() + " {" },
	} {
		for range 3 { // apps start in no order
			if err := n.reloadWith(change); err == nil {
				t.Fatalf("%s: the reload was not refused", name)
			}
		}
		l := s.newLogin(t, 0, 0)
		subject := "local|" + l.person.user
		for _, tt := range []struct {
			args []string
			want string
		}{
			{[]string{"stats"}, s.issuer},
			{[]string{"grants", "list", subject}, "app"},
			{[]string{"grants", "end", subject}, "ended: "},
		} {
			out, err := exec.Command(caddy, append([]string{"oauth", "--address", n.admin}, tt.args...)...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("%s: caddy oauth %s: %v\n%s", name, strings.Join(tt.args, " "), err, out)
			}
		}
		if v := l.call(n); v == history.Done {
			t.Errorf("%s: the access token of the ended grant passes", name)
		}
		if healthy, err := n.metric("caddy_oauth_healthy"); err != nil || healthy != 1 {
			t.Errorf("%s: the metric of health: %v, %v", name, healthy, err)
		}
	}
	s.options.MaxLag = 5 * time.Second // else Caddy has nothing to do
	if err := n.reload(); err != nil {
		t.Errorf("a good reload: %v", err)
	}
	n.stop()
}
