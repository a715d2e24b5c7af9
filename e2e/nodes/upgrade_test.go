package nodes

import (
	"os"
	"testing"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestRollingUpgrade: nodes of an older version and of this one share a Redis,
// as they do while an upgrade is rolled out, under load; and one way back.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	old := os.Getenv("GATEHOUSE_OLD_CADDY")
	if old == "" {
		t.Skip("SKIPPED: GATEHOUSE_OLD_CADDY names no Caddy with an older Gatehouse, so no upgrade was tested here")
	}
	s := newSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	for _, name := range []string{"A", "B"} {
		n := s.newNode(name)
		n.caddy = old
		n.start()
		n.await()
		s.nodes = append(s.nodes, n)
	}
	c := s.newCrowd(t, 6)
	c.lose = sometimes(0.1)
	done := c.run()
	deploy := func(n *node, program string) {
		n.stop()
		n.caddy = program
		n.start()
		n.await()
		c.busy(100)
		for i := range s.nodes { // what one version begins, the other goes on with, and ends
			l := s.newLogin(t, i, i+1)
			if v := l.renew(i, nil); v != history.Done {
				t.Errorf("refresh: %s", v)
			}
			if v := l.revoke(s.nodes[i]); v != history.Done {
				t.Errorf("revoking: %s", v)
			}
			s.refusedSoon(t, l, s.nodes[1-i])
		}
	}
	deploy(s.nodes[0], "")
	deploy(s.nodes[1], "")
	deploy(s.nodes[1], old) // somebody is unhappy with it
	deploy(s.nodes[1], "")
	done()
	s.check(map[history.Kind]int{history.Refresh: 400, history.Revoke: 8})
}
