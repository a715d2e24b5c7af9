package nodes

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// thirty are the people who refresh when something breaks.
const thirty = 30

// alarms counts the alarms of reuse at the nodes that run.
func (s *site) alarms() (n float64) {
	for _, node := range s.nodes {
		if value, err := node.metric("caddy_oauth_events_total", `event="refresh_reuse_detected"`); err == nil {
			n += value
		}
	}
	return n
}

// comeBack presents the token of each person until there is a decision, and that
// must be a good one.
func (s *site) comeBack(t *testing.T, all []*login, at func(i int) *node) {
	t.Helper()
	var wg sync.WaitGroup
	for i, l := range all {
		wg.Go(func() {
			for start := time.Now(); ; time.Sleep(retryPause) {
				refresh, access, v := l.refreshOnce(at(i), l.refresh, kept)
				if v == history.Done {
					l.refresh, l.access = refresh, access
					return
				}
				if !again(v) || time.Since(start) > patience {
					t.Errorf("%s has lost its login: %s", l.family, v)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestR1NodeLost: thirty people refresh when their node is killed, or cut off from
// the store, which has decided already. They heard nothing, or were told to come
// again, and come to the other node when the leeway is over.
func TestR1NodeLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lose func(n *node, proxy *redistest.Proxy)
	}{
		{"killed", func(n *node, _ *redistest.Proxy) { n.kill() }},
		{"cut off", func(_ *node, p *redistest.Proxy) { p.Arm(redistest.Before, math.MaxInt32); p.Cut() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			proxy := redistest.NewProxy(t, server.Addr)
			s := startSite(t, siteOptions{Stores: []string{standalone(proxy.Addr), standalone(server.Addr)}, Leeway: 4 * time.Second})
			a, b := s.nodes[0], s.nodes[1]
			all, before := make([]*login, thirty), make([]string, thirty)
			for i := range all {
				all[i] = s.newLogin(t, 0, 1)
				before[i] = all[i].refresh
			}
			repair := s.broke()
			proxy.Arm(redistest.Held, math.MaxInt32)
			var wg sync.WaitGroup
			for _, l := range all {
				wg.Go(func() {
					if _, _, v := l.refreshOnce(a, l.refresh, kept); !again(v) {
						t.Errorf("a refresh that nobody can answer: %s", v)
					}
				})
			}
			time.Sleep(500 * time.Millisecond)
			c.lose(a, proxy)
			wg.Wait()
			time.Sleep(s.options.Leeway + storage.SilentAfter)
			s.comeBack(t, all, func(int) *node { return b })
			if n := s.alarms(); n > 0 {
				t.Errorf("%v alarms of reuse", n)
			}
			repair()
			time.Sleep(s.options.Leeway)
			if v := all[0].steal(b, before[0]); v != history.Refused {
				t.Errorf("a thief: %s", v)
			}
			s.check(map[history.Kind]int{history.Refresh: thirty})
		})
	}
}

// TestR1StoreLost: thirty people refresh at two nodes, again and again, when the
// store dies, or stands still, for longer than the leeway. They come at once when
// it is back, to whichever node.
func TestR1StoreLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		down, repairs func(*redistest.Server)
	}{
		{"killed", (*redistest.Server).Kill, (*redistest.Server).Run},
		{"stopped", (*redistest.Server).Stop, (*redistest.Server).Continue},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes")
			s := startSite(t, siteOptions{Store: standalone(server.Addr), Leeway: 4 * time.Second})
			people := s.newCrowd(t, thirty)
			done := people.run()
			people.busy(2 * thirty)
			repair := s.broke()
			c.down(server)
			time.Sleep(2*s.options.Leeway + storage.SilentAfter)
			c.repairs(server)
			people.busy(2 * thirty)
			repair()
			done()
			if n := s.alarms(); n > 0 {
				t.Errorf("%v alarms of reuse", n)
			}
			s.check(map[history.Kind]int{history.Refresh: 4 * thirty})
		})
	}
}
