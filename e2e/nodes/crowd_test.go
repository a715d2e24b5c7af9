package nodes

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
)

// newLogin signs a new person in at one node and redeems the code at another,
// as often as it takes when things are broken.
func (s *site) newLogin(t testing.TB, at, redeemAt int) *login {
	t.Helper()
	l, v := s.tryLogin(s.newPerson(), at, redeemAt)
	if v != history.Done {
		t.Fatalf("signing in: %s\n%s", v, s.recent())
	}
	return l
}

// tryLogin signs a person in. A code whose answer was lost is not good again:
// then the person begins anew.
func (s *site) tryLogin(p *person, at, redeemAt int) (*login, history.Verdict) {
	for deadline := time.Now().Add(patience); ; time.Sleep(retryPause) {
		var c code
		v := s.persist(at, func(n *node) (v history.Verdict) {
			c, v = p.authorize(n)
			return v
		})
		if v != history.Done {
			return nil, v
		}
		l, v := p.redeem(s.nodes[redeemAt%len(s.nodes)], c, kept)
		if v == history.Done || v == history.Broken || time.Now().After(deadline) {
			return l, v
		}
	}
}

// renew refreshes as an honest client does: with the same token until there is
// a decision.
func (l *login) renew(first int, lose func() loss) history.Verdict {
	return l.person.site.persist(first, func(n *node) history.Verdict {
		lost := kept
		if lose != nil {
			lost = lose()
		}
		refresh, access, v := l.refreshOnce(n, l.refresh, lost)
		if v == history.Done {
			l.refresh, l.access = refresh, access
		}
		return v
	})
}

// recent shows the end of the history.
func (s *site) recent() string {
	ops := s.history.Ops()
	var text string
	for _, o := range ops[max(0, len(ops)-10):] {
		text += fmt.Sprintln(o)
	}
	return text
}

// crowd is honest clients that use the site until told to stop.
type crowd struct {
	site *site
	stop chan struct{}
	wg   sync.WaitGroup
	all  []*login
	lose func() loss // what becomes of the answers to refreshes
	rest time.Duration
}

// newCrowd signs clients in.
func (s *site) newCrowd(t testing.TB, n int) *crowd {
	t.Helper()
	c := &crowd{site: s, stop: make(chan struct{}), rest: 10 * time.Millisecond}
	for i := range n {
		c.all = append(c.all, s.newLogin(t, i, i+1))
	}
	return c
}

// run lets each client refresh and call at any node. The returned function
// stops them and looks whether every one has kept its login.
func (c *crowd) run() (done func()) {
	for _, l := range c.all {
		c.wg.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				case <-time.After(c.rest):
				}
				if v := l.renew(rand.IntN(len(c.site.nodes)), c.lose); v != history.Done {
					return // the history tells
				}
				for range 3 {
					l.call(c.site.nodes[rand.IntN(len(c.site.nodes))])
				}
			}
		})
	}
	return func() {
		close(c.stop)
		c.wg.Wait()
		for _, l := range c.all {
			if v := l.renew(0, nil); v != history.Done {
				c.site.t.Errorf("%s of %s has lost its login", l.family, l.person.user)
			}
		}
	}
}

// busy waits until the clients have refreshed n more times.
func (c *crowd) busy(n int) {
	c.site.t.Helper()
	want := history.Count(c.site.history.Ops(), history.Refresh, history.Done) + n
	within(c.site.t, "the clients to go on", patience, func() bool {
		return history.Count(c.site.history.Ops(), history.Refresh, history.Done) >= want
	})
}

// sometimes loses a share of the answers, in one way or the other.
func sometimes(share float64) func() loss {
	return func() loss {
		if rand.Float64() >= share {
			return kept
		}
		return []loss{thrown, hungUp}[rand.IntN(2)]
	}
}
