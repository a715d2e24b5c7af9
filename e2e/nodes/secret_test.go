package nodes

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestSecretChangedInThreeDeploys changes the secret under load: `old new`,
// `new old`, `new`, each deployed to one node after the other. Nobody is logged
// out, and nothing fails.
func TestSecretChangedInThreeDeploys(t *testing.T) {
	t.Parallel()
	before, after := newSecret(), newSecret()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr), Secrets: []string{before}})
	c := s.newCrowd(t, 6)
	quiet := s.newLogin(t, 0, 1) // comes back when all is over
	done := c.run()
	for _, secrets := range [][]string{{before, after}, {after, before}, {after}} {
		s.options.Secrets = secrets
		for _, n := range s.nodes {
			if err := n.reload(); err != nil {
				t.Fatalf("deploying to %s: %v", n.name, err)
			}
			c.busy(100) // both are in use for a while
		}
		if len(secrets) == 2 && secrets[0] == after {
			// Whoever has not come since is logged out by the last deploy: an operator waits as long as sessions may sleep.
			if v := quiet.renew(0, nil); v != history.Done {
				t.Errorf("a quiet client: %s", v)
			}
		}
	}
	done()
	if v := quiet.renew(1, nil); v != history.Done {
		t.Errorf("a quiet client after the change: %s", v)
	}
	// The sessions of the pages live on, too.
	if _, v := s.tryLogin(c.all[0].person, 0, 1); v != history.Done {
		t.Errorf("a login by the session: %s", v)
	}
	s.check(map[history.Kind]int{history.Refresh: 50, history.Call: 150})
}

// TestNodesWithoutASharedSecret: a node with another secret, or none, does not
// start, says why, and does no damage to those that run.
func TestNodesWithoutASharedSecret(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	c := s.newCrowd(t, 4)
	keys := s.nodes[0].keyIDs(t)
	done := c.run()
	right := s.options.Secrets
	for _, wrong := range []struct {
		name    string
		secrets []string
		want    string
	}{
		{"another secret", []string{newSecret()}, "configure the same `secret` on every gateway"},
		{"no secret", nil, "needs `secret`"},
	} {
		s.options.Secrets = wrong.secrets
		stranger := s.newNode("X")
		stranger.start()
		select {
		case <-stranger.exited:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: the node runs", wrong.name)
		}
		if log := stranger.logs(); !strings.Contains(log, wrong.want) {
			t.Errorf("%s: the node does not say %q: %s", wrong.name, wrong.want, log)
		}
		// And a node that runs is not to be talked into it, either.
		if err := s.nodes[1].reload(); err == nil || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("%s: reloading: %v", wrong.name, err)
		}
	}
	s.options.Secrets = right
	c.busy(20)
	done()
	if got := s.nodes[0].keyIDs(t); strings.Join(got, " ") != strings.Join(keys, " ") {
		t.Errorf("the keys were %v and are %v", keys, got)
	}
	again := s.newNode("C")
	again.start()
	again.await()
	if v := c.all[0].call(again); v != history.Done {
		t.Errorf("a node with the right secret: %s", v)
	}
	s.check(map[history.Kind]int{history.Refresh: 50, history.Call: 150})
}

// TestUnknownServers: what an operator can get wrong about Redis is an error
// that names the fix.
func TestUnknownServers(t *testing.T) {
	t.Parallel()
	locked := redistest.Start(t, "--requirepass", "secret")
	evicting := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	s := newSite(t, siteOptions{})
	for _, wrong := range []struct{ name, store, want string }{
		{"no password", standalone(locked.Addr), "configure `password`"},
		{"wrong password", standalone(locked.Addr) + "\n\t\t\tpassword wrong", "refuses the username or the password"},
		{"evicting", standalone(evicting.Addr), "maxmemory-policy noeviction"},
		{"no cluster", standalone(evicting.Addr) + "\n\t\t\tcluster", "it is no Redis Cluster"},
	} {
		n := s.newNode(wrong.name)
		n.store = wrong.store
		out, err := exec.Command(caddy, "validate", "--adapter", "caddyfile", "--config", n.write()).CombinedOutput()
		if err != nil {
			t.Errorf("%s: validating asked Redis: %v: %s", wrong.name, err, out)
		}
		n.start()
		select {
		case <-n.exited:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: the node runs", wrong.name)
		}
		if log := n.logs(); !strings.Contains(log, wrong.want) {
			t.Errorf("%s: the node does not say %q: %s", wrong.name, wrong.want, log)
		}
	}
}
