package nodes

import (
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestStopDuringRotations: nodes are told to end (SIGINT, as by systemd) in the
// midst of rotations, and start again. What was begun is finished, or the
// client's retry gets the same successor: nobody loses a login.
func TestStopDuringRotations(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	c := s.newCrowd(t, 6)
	c.rest = time.Millisecond
	done := c.run()
	for i := range 4 {
		c.busy(20)
		n := s.nodes[i%2]
		repair := s.broke()
		n.stop()
		n.start()
		n.await()
		repair()
	}
	c.busy(20)
	done()
	s.check(map[history.Kind]int{history.Refresh: 100})
}

// TestStrictRace: with leeway 0 one token, sent to both nodes at once, is good
// once; the others are reuse, and end the login at both nodes (RT-07). The other
// node may say "come again" while it can't know yet that the one was answered.
func TestStrictRace(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	s.options.Leeway = 0
	for _, n := range s.nodes {
		if err := n.reload(); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		l := s.newLogin(t, 0, 1)
		var mu sync.Mutex
		verdicts := map[history.Verdict]int{}
		successor := ""
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				refresh, _, v := l.present(s.nodes[i%2], l.refresh, kept, true)
				mu.Lock()
				defer mu.Unlock()
				if verdicts[v]++; v == history.Done {
					successor = refresh
				}
			})
		}
		wg.Wait()
		told := verdicts[history.Refused] + verdicts[history.Unavailable]
		if verdicts[history.Done] != 1 || told != 19 || verdicts[history.Refused] < 9 {
			t.Errorf("verdicts %v, want one done and 19 refused", verdicts)
		}
		for _, n := range s.nodes {
			if v := l.steal(n, successor); v != history.Refused {
				t.Errorf("the successor at node %s: %s", n.name, v)
			}
		}
	}
}
