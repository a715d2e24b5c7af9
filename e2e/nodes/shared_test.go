package nodes

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/e2e/history"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestOneUserTwoNodes: login on A, refresh on B, revoke on A; a session of A
// is one of B.
func TestOneUserTwoNodes(t *testing.T) {
	t.Parallel()
	const rounds = 20
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	a, b := s.nodes[0], s.nodes[1]
	for range rounds {
		l := s.newLogin(t, 0, 0)
		if v := l.renew(1, nil); v != history.Done {
			t.Fatalf("refresh on B: %s", v)
		}
		for _, n := range s.nodes {
			if v := l.call(n); v != history.Done {
				t.Fatalf("call at %s: %s", n.name, v)
			}
		}
		// The person is signed in at B too: no page asks.
		second, v := s.tryLogin(l.person, 1, 0)
		if v != history.Done {
			t.Fatalf("single sign-on at B: %s", v)
		}
		if v := l.revoke(a); v != history.Done {
			t.Fatalf("revoking on A: %s", v)
		}
		s.refusedSoon(t, l, b)
		// The other login of the session goes on, until the person leaves.
		if v := second.call(b); v != history.Done {
			t.Errorf("another login of the person: %s", v)
		}
		if v := second.signOut(b); v != history.Done {
			t.Fatalf("signing out at B: %s", v)
		}
		s.refusedSoon(t, second, a)
		if v := second.renewOnce(a); v != history.Refused {
			t.Errorf("refresh on A after the sign-out at B: %s", v)
		}
	}
	s.check(map[history.Kind]int{history.Redeem: 2 * rounds, history.Refresh: rounds, history.Revoke: rounds, history.SignOut: rounds})
}

// renewOnce presents the refresh token once.
func (l *login) renewOnce(n *node) history.Verdict {
	_, _, v := l.refreshOnce(n, l.refresh, kept)
	return v
}

// refusedSoon calls until the node refuses; Check holds the last call that
// passed against the lag.
func (s *site) refusedSoon(t *testing.T, l *login, n *node) {
	t.Helper()
	for start := time.Now(); l.call(n) != history.Refused; time.Sleep(2 * time.Millisecond) {
		if time.Since(start) > s.options.MaxLag+5*time.Second {
			t.Fatalf("node %s still accepts a token %v after its end", n.name, time.Since(start))
		}
	}
}

// TestSameRefreshTokenAtOnce: one refresh token, 100 times at once over both
// nodes, is one new generation (RT-06).
func TestSameRefreshTokenAtOnce(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	for range 5 {
		l := s.newLogin(t, 0, 1)
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				refresh, _, v := l.refreshOnce(s.nodes[i%2], l.refresh, kept)
				mu.Lock()
				defer mu.Unlock()
				if got[refresh]++; v != history.Done {
					t.Errorf("one of many at once: %s", v)
				}
			})
		}
		wg.Wait()
		if len(got) != 1 {
			t.Errorf("%d different successors", len(got))
		}
		if g := s.generation(t, l); g != 2 {
			t.Errorf("the family is at generation %d, want 2", g)
		}
		for refresh := range got {
			l.refresh = refresh
		}
		if v := l.renew(0, nil); v != history.Done {
			t.Errorf("the successor: %s", v)
		}
	}
	s.check(map[history.Kind]int{history.Refresh: 505})
}

// generation is that of the newest family of the login's person, as the second node sees it.
func (s *site) generation(t *testing.T, l *login) uint32 {
	t.Helper()
	text, err := s.nodes[1].adminDo(http.MethodGet, "/oauth/grants?subject="+url.QueryEscape("local|"+l.person.user), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Grants []struct {
			Generation uint32    `json:"generation"`
			Created    time.Time `json:"created"`
		} `json:"grants"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Grants) == 0 {
		t.Fatalf("listing grants: %v: %s", err, text)
	}
	return list.Grants[len(list.Grants)-1].Generation
}

// TestKilledBeforeTheAnswer: the script of a rotation has run, Redis's reply is
// kept back, and the node dies by kill -9. The client's retry at the other node
// gets the same successor (RT-18, R-05).
func TestKilledBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr)
	s := startSite(t, siteOptions{Stores: []string{standalone(proxy.Addr), standalone(server.Addr)}})
	a, b := s.nodes[0], s.nodes[1]
	for range 3 {
		l := s.newLogin(t, 0, 0)
		if v := l.renew(0, nil); v != history.Done { // Redis knows the script by now
			t.Fatalf("refresh: %s", v)
		}
		repair := s.broke()
		proxy.Arm(redistest.Held, 1<<30)
		answered := make(chan history.Verdict, 1)
		go func() {
			_, _, v := l.refreshOnce(a, l.refresh, kept)
			answered <- v
		}()
		within(t, "the rotation to be committed", 5*time.Second, func() bool { return s.generation(t, l) == 3 })
		a.kill()
		if v := <-answered; v != history.Lost {
			t.Fatalf("the client of the dead node: %s", v)
		}
		old := l.refresh
		if v := l.renew(1, nil); v != history.Done {
			t.Fatalf("the retry at the other node: %s", v)
		}
		if g := s.generation(t, l); g != 3 {
			t.Errorf("the retry made generation %d, want 3", g)
		}
		if again, _, v := l.refreshOnce(b, old, kept); v != history.Done || again != l.refresh {
			t.Errorf("a second retry: %s, the same successor: %v", v, again == l.refresh)
		}
		if v := l.renew(1, nil); v != history.Done || s.generation(t, l) != 4 {
			t.Errorf("the successor: %s", v)
		}
		proxy.Arm(redistest.None, 0)
		a.start()
		a.await()
		repair()
		if v := l.renew(0, nil); v != history.Done {
			t.Errorf("at the node that is back: %s", v)
		}
	}
	s.check(map[history.Kind]int{history.Refresh: 15})
}

// TestLostReplies: Redis runs the scripts and its replies are lost on the way to
// a node, which sends them again; and answers are lost on the way
// to the clients, who try again.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr)
	s := startSite(t, siteOptions{Stores: []string{standalone(proxy.Addr), standalone(server.Addr)}})
	c := s.newCrowd(t, 8)
	c.lose = sometimes(0.2)
	done := c.run()
	for i := range 40 {
		proxy.Arm([]redistest.Fault{redistest.After, redistest.Before}[i%2], 1)
		// So that no call is hit twice: as many have passed as are never under way at once.
		within(t, "calls after a lost reply", time.Minute, func() bool { return proxy.Left() == 0 && proxy.Scripts() >= 40 })
	}
	done()
	s.check(map[history.Kind]int{history.Refresh: 100, history.Call: 300})
}

// TestCodesRaced: a code at both nodes at once is redeemed once; a loser within
// a second leaves the winner's tokens alone, and a later use ends them (R-09, TOK-11).
func TestCodesRaced(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	for round := range 5 {
		p := s.newPerson()
		c, v := p.authorize(s.nodes[0])
		if v != history.Done {
			t.Fatalf("signing in: %s", v)
		}
		won := make(chan *login, 100)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				switch l, v := p.redeem(s.nodes[i%2], c, kept); v {
				case history.Done:
					won <- l
				case history.Refused:
				default:
					t.Errorf("one of many at once: %s", v)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("round %d: a code was redeemed %d times", round, len(won))
		}
		l := <-won
		for i := range s.nodes {
			if v := l.call(s.nodes[i]); v != history.Done {
				t.Errorf("the winner's call: %s", v)
			}
			if v := l.renew(i, nil); v != history.Done {
				t.Errorf("the winner's refresh: %s", v)
			}
		}
		time.Sleep(1100 * time.Millisecond) // a retry is no theft for a second
		o := s.begin(s.nodes[1], history.Redeem, c.family, c.text)
		o.Theft = true
		if _, _, v := o.tokens(url.Values{
			"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "code": {c.text}, "code_verifier": {c.verifier},
		}, kept); v != history.Refused {
			t.Errorf("a code a second later: %s", v)
		}
		if v := l.renewOnce(s.nodes[0]); v != history.Refused {
			t.Errorf("the login after its code came again: %s", v)
		}
		s.refusedSoon(t, l, s.nodes[0])
	}
	s.check(map[history.Kind]int{history.Redeem: 5})
}

// TestRefreshRacesRevoke: whatever a revocation on A and refreshes on B at the
// same moment are answered, no token is left alive (RT-21).
func TestRefreshRacesRevoke(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr)})
	for range 30 {
		l := s.newLogin(t, 0, 1)
		var mu sync.Mutex
		held := []string{l.refresh}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if i == 4 {
					if v := l.revoke(s.nodes[0]); v != history.Done {
						t.Errorf("revoking: %s", v)
					}
					return
				}
				if refresh, _, v := l.refreshOnce(s.nodes[1], l.refresh, kept); v == history.Done {
					mu.Lock()
					defer mu.Unlock()
					held = append(held, refresh)
				}
			})
		}
		wg.Wait()
		for _, token := range slices.Compact(slices.Sorted(slices.Values(held))) {
			if _, _, v := l.refreshOnce(s.nodes[1], token, kept); v != history.Refused {
				t.Errorf("a token of a revoked family: %s", v)
			}
		}
	}
	s.check(map[history.Kind]int{history.Revoke: 30})
}

// TestReuseAcrossNodes: a stolen token at B ends the login at A, access tokens included.
func TestReuseAcrossNodes(t *testing.T) {
	t.Parallel()
	s := startSite(t, siteOptions{Store: standalone(redistest.Start(t).Addr), Leeway: time.Second})
	l := s.newLogin(t, 0, 0)
	stolen := l.refresh
	for range 2 {
		if v := l.renew(0, nil); v != history.Done {
			t.Fatalf("refresh: %s", v)
		}
	}
	if v := l.call(s.nodes[1]); v != history.Done {
		t.Fatalf("call: %s", v)
	}
	if v := l.steal(s.nodes[1], stolen); v != history.Refused {
		t.Errorf("the thief: %s", v)
	}
	if v := l.renewOnce(s.nodes[0]); v != history.Refused {
		t.Errorf("after the theft: %s", v)
	}
	s.refusedSoon(t, l, s.nodes[0])
	s.refusedSoon(t, l, s.nodes[1])
	if !s.nodes[1].logged("refresh_reuse_detected") {
		t.Error("the log of B does not tell of the theft")
	}
	if strings.Contains(s.nodes[0].logs()+s.nodes[1].logs(), stolen) {
		t.Error("a log holds a refresh token")
	}
	s.check(nil)
}
