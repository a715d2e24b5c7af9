package nodes

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestR1NodeFrozen: thirty people refresh at a node that stands still, hang up, and go on at the
// other one. When it comes to their requests nobody is there: they are no reuse.
func TestR1NodeFrozen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := startSite(t, siteOptions{Store: standalone(server.Addr), Leeway: 4 * time.Second})
	a, b := s.nodes[0], s.nodes[1]
	all := make([]*login, thirty)
	for i := range all {
		all[i] = s.newLogin(t, 0, 1)
	}
	if err := a.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, l := range all {
		wg.Go(func() {
			if _, _, v := l.refreshOnce(a, l.refresh, hungUp); v != history.Lost {
				t.Errorf("a refresh that nobody can answer: %s", v)
			}
		})
	}
	wg.Wait()
	for range 2 {
		s.comeBack(t, all, func(int) *node { return b })
	}
	if err := a.process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	witness := s.newLogin(t, 0, 1) // the requests that lie there come first
	for range 20 {
		witness.renew(0, nil)
	}
	if n := s.alarms(); n > 3 { // whether somebody has hung up is found out beside their request
		t.Errorf("%v of %d are taken for thieves", n, thirty)
	}
}
