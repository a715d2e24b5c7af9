package redisstore

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

var scriptCalls = regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=(\d+)`)

// testOneScript: a refresh is one script in a Cluster, too, on the node of the
// user: no decision looks at the watermarks, which all lie on one.
func testOneScript(t *testing.T, nodes *redistest.Nodes, o Options) {
	s := New(o)
	defer s.Close()
	_, err := s.Open(t.Context(), openRequest)
	mustDo(t, err)
	var chains []*chain
	for i := range 30 {
		c := newChain(t, s, fmt.Sprint("local|script", i))
		mustDo(t, c.rotate(s)) // from now on the server knows the script
		chains = append(chains, c)
	}
	quiet(s)
	for _, server := range nodes.Servers {
		server.Do("CONFIG", "RESETSTAT")
	}
	for range 10 {
		for _, c := range chains {
			mustDo(t, c.rotate(s))
		}
	}
	scripts := 0
	for _, server := range nodes.Servers {
		for _, calls := range scriptCalls.FindAllStringSubmatch(server.Do("INFO", "commandstats"), -1) {
			n, _ := strconv.Atoi(calls[1])
			scripts += n
		}
	}
	if scripts < 300 || scripts > 305 { // on a slow machine one may be sent again, or a primary be looked at
		t.Errorf("300 rotations were %d scripts", scripts)
	}
}

// testWatermarksAway: the node of the watermarks does not answer for a while.
// Whose grants lie elsewhere goes on.
func testWatermarksAway(t *testing.T, nodes *redistest.Nodes, s *Store) {
	victim := nodes.Owner(nodes.Slot(s.key("clients")))
	var elsewhere []*chain
	for i := range 20 {
		c := newChain(t, s, fmt.Sprint("local|away", i))
		if nodes.Owner(nodes.Slot(s.userKey(c.request.User, held))) != victim {
			elsewhere = append(elsewhere, c)
		}
	}
	nodes.Servers[victim].Stop()
	start := time.Now()
	for time.Since(start) < time.Second { // no other node takes over yet
		for _, c := range elsewhere {
			if err := c.rotate(s); err != nil {
				t.Fatalf("rotate elsewhere: %v", err)
			}
		}
	}
	nodes.Servers[victim].Continue()
	waitFor(t, "the node answers", func() bool { _, err := s.ClientWatermarks(t.Context()); return err == nil })
}
