package nodes

import (
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// soakFor is how long TestSoak runs: a minute in CI, more by `make soak`.
var soakFor = flag.Duration("soak", time.Minute, "how long TestSoak runs")

// TestSoak uses two nodes over Sentinel for a while, as many people do, while
// answers are lost, tokens are stolen, nodes are reloaded and Redis fails over.
// Afterwards I1 to I7 hold. Since answers wait for a replica, no
// failover is an excuse for anything lost.
func TestSoak(t *testing.T) {
	if *soakFor <= time.Minute {
		t.Parallel() // it waits more than it works
	}
	sentinels := redistest.StartSentinels(t)
	s := startSite(t, siteOptions{
		Store: sentinel(sentinels) + "\n\t\t\twait_replicas 1 2s strict",
		OAuth: "token_cache 8MiB", // full within the first minute, so that growth is none of its
	})
	k := &soak{site: s, sentinels: sentinels, stop: make(chan struct{}), samples: map[string][]history.Sample{}}
	for range 12 {
		k.wg.Go(k.people)
	}
	k.wg.Go(k.reloads)
	k.wg.Go(k.watch)
	k.failovers(*soakFor)
	close(k.stop)
	k.wg.Wait()

	minutes := int(max(1, soakFor.Minutes()))
	s.check(map[history.Kind]int{
		history.Login: 50 * minutes, history.Redeem: 50 * minutes, history.Refresh: 500 * minutes, history.Call: 2000 * minutes,
		history.Revoke: 5 * minutes, history.SignOut: 5 * minutes,
	})
	for _, n := range s.nodes {
		samples := k.samples[n.name]
		// What is held while Redis is away is not growth.
		for _, v := range history.Growth(samples, history.Limits{Goroutines: 60, Files: 60, Heap: 0.15}) {
			t.Errorf("node %s: %s", n.name, v)
		}
		first, last := samples[len(samples)/5], samples[len(samples)-1]
		t.Logf("node %s: goroutines %.0f, then %.0f; open files %.0f, %.0f; heap %.1f MB, %.1f MB",
			n.name, first.Goroutines, last.Goroutines, first.Files, last.Files, first.Heap/1e6, last.Heap/1e6)
	}
	t.Logf("%d failovers, the longest outage of a client's refresh %v; %d reloads", k.failed, s.longestOutage().Round(time.Millisecond), k.reloaded)
}

// soak is one run.
type soak struct {
	site      *site
	sentinels *redistest.Sentinels
	stop      chan struct{}
	wg        sync.WaitGroup
	staying   atomic.Int32
	reloaded  int
	failed    int
	samples   map[string][]history.Sample // by node
}

// over waits a while and reports whether the run has ended.
func (k *soak) over(wait time.Duration) bool {
	select {
	case <-k.stop:
		return true
	case <-time.After(wait):
		return false
	}
}

// people come one after the other, stay for a while, and go in different ways.
func (k *soak) people() {
	s := k.site
	for !k.over(time.Millisecond) {
		l, v := s.tryLogin(s.newPerson(), rand.IntN(2), rand.IntN(2))
		if v != history.Done {
			continue // the history tells
		}
		first := l.refresh
		for range 5 + rand.IntN(40) {
			if k.over(time.Duration(rand.IntN(20)) * time.Millisecond) {
				break
			}
			if rand.IntN(10) == 0 {
				k.race(l)
			} else if v := l.renew(rand.IntN(2), sometimes(0.1)); v != history.Done {
				break
			}
			for range rand.IntN(8) {
				l.call(s.nodes[rand.IntN(2)])
			}
		}
		k.leave(l, first)
	}
}

// race presents one refresh token in several tabs at once.
func (k *soak) race(l *login) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { l.refreshOnce(k.site.nodes[i%2], l.refresh, kept) })
	}
	wg.Wait()
	l.renew(0, nil) // whichever was first, the answer is the same
}

// stayers are how many people come back again and again until the end.
const stayers = 50

// leave ends a login in one of the ways in which they end, and looks for a
// while whether somebody still lets it in.
func (k *soak) leave(l *login, first string) {
	s, n := k.site, rand.IntN(2)
	switch way := rand.IntN(8); {
	case way < 3, way == 7 && k.staying.Add(1) > stayers:
		s.persist(n, l.revoke)
	case way < 6:
		s.persist(n, l.signOut)
	case way == 6:
		if first != l.refresh {
			l.steal(s.nodes[n], first)
		}
	default: // stays: who comes back later finds it there
		k.wg.Go(func() {
			for !k.over(5 * time.Second) {
				l.renew(rand.IntN(2), nil)
			}
			if v := l.renew(0, nil); v != history.Done {
				s.t.Errorf("%s has lost its login: %s", l.family, v)
			}
		})
		return
	}
	for _, wait := range []time.Duration{0, 300 * time.Millisecond, 700 * time.Millisecond, 300 * time.Millisecond} {
		time.Sleep(wait)
		l.call(s.nodes[0])
		l.call(s.nodes[1])
		l.renewOnce(s.nodes[rand.IntN(2)])
	}
}

// reloads gives the nodes new settings, one after the other.
func (k *soak) reloads() {
	every := min(*soakFor/12, 30*time.Second)
	for i := 0; !k.over(every); i++ {
		n := k.site.nodes[i%2]
		if err := n.reloadWith(func(o *siteOptions) { o.API = []string{"", "header X-Reloaded yes"}[i/2%2] }); err != nil {
			k.site.t.Errorf("reloading %s: %v", n.name, err)
		}
		k.reloaded++
	}
}

// watch samples what the nodes hold, before and after failovers too.
func (k *soak) watch() {
	for !k.over(*soakFor / 60) {
		for _, n := range k.site.nodes {
			if sample, err := n.sample(); err == nil {
				k.samples[n.name] = append(k.samples[n.name], sample)
			}
		}
	}
}

// failovers kills the primary in the middle of the run, in a long one every two
// minutes, and brings it back as a replica. It returns when the run is over.
func (k *soak) failovers(length time.Duration) {
	end := time.Now().Add(length)
	every := min(length/3, 2*time.Minute)
	for time.Until(end) > every {
		time.Sleep(every)
		old := k.sentinels.Primary()
		repaired := k.site.broke()
		old.Kill()
		start := time.Now()
		within(k.site.t, "another primary", time.Minute, func() bool { return k.sentinels.Primary() != old })
		k.site.t.Logf("another primary after %v", time.Since(start).Round(time.Millisecond))
		// Writes wait for a replica, so the failover is over when there is one again.
		within(k.site.t, "a replica of the new primary", time.Minute, func() bool {
			return strings.Contains(k.sentinels.Primary().Do("INFO", "replication"), "state=online")
		})
		k.site.t.Logf("a replica of it after %v", time.Since(start).Round(time.Millisecond))
		repaired()
		k.failed++
		time.Sleep(5 * time.Second)
		old.Run()
	}
	time.Sleep(time.Until(end))
}

// longestOutage is the longest time in which no refresh succeeded.
func (s *site) longestOutage() time.Duration {
	var longest, last time.Duration
	for _, o := range s.history.Ops() { // in the order in which they ended
		if o.Kind == history.Refresh && o.Verdict == history.Done {
			if last > 0 {
				longest = max(longest, o.End-last)
			}
			last = o.End
		}
	}
	return longest
}
