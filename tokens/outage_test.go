package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	outageLeeway = time.Second
	outageLength = storage.SilentAfter + time.Second
)

// withLeeway gives all clients one.
func withLeeway(d time.Duration) func(*tokens.Config) {
	return func(c *tokens.Config) {
		for _, client := range c.Clients {
			client.Refresh.Leeway = d
		}
	}
}

// retry refreshes as an honest client does: while it is told to come again, it does.
func (n *node) retry(token string) *tokens.TokenResponse {
	n.t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		res, err := n.token("spa", refreshRequest(token))
		if err == nil {
			return res
		}
		if oauth.AsError(err).Code != oauth.TemporarilyUnavailable || time.Since(start) > 30*time.Second {
			n.t.Fatalf("an honest client, %v after it came back: %v", time.Since(start), err)
		}
	}
}

// caught presents what was stolen, until there is a decision.
func (n *node) caught(token string) {
	n.t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, err := n.token("spa", refreshRequest(token))
		if err != nil && oauth.AsError(err).Code == oauth.TemporarilyUnavailable && time.Since(start) < 30*time.Second {
			continue
		}
		if !oauth.IsReason(err, oauth.ReasonReuse) && !oauth.IsReason(err, oauth.ReasonUnknown) { // by a call whose answer came too late
			n.t.Errorf("a thief: %v", err)
		}
		return
	}
}

// presentAll presents refresh tokens at once, whatever comes of it.
func (n *node) presentAll(all []string) (answered int) {
	var many atomic.Int32
	var wg sync.WaitGroup
	for _, token := range all {
		wg.Go(func() {
			if _, err := n.token("spa", refreshRequest(token)); err == nil {
				many.Add(1)
			}
		})
	}
	wg.Wait()
	return int(many.Load())
}

// TestR1Outage: refreshes are under way when the store goes away, for longer than
// the leeway. Everybody is told to come again, and gets the successor at whatever
// node they come to, at once when the store is back or later; a thief is found out.
func TestR1Outage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for outages")
	}
	for _, tt := range []struct {
		name    string
		breaks  func(*redistest.Server, *redistest.Proxy)
		during  func(*redistest.Server, *redistest.Proxy)
		repairs func(*redistest.Server, *redistest.Proxy)
	}{
		{
			name:    "the answers are lost",
			breaks:  func(_ *redistest.Server, p *redistest.Proxy) { p.Arm(redistest.Held, math.MaxInt32) },
			repairs: func(_ *redistest.Server, p *redistest.Proxy) { p.Arm(redistest.None, 0) },
		},
		{
			name:    "the server stands still",
			breaks:  func(s *redistest.Server, _ *redistest.Proxy) { s.Stop() },
			repairs: func(s *redistest.Server, _ *redistest.Proxy) { s.Continue() },
		},
		{
			name:    "the server dies when it has decided",
			breaks:  func(_ *redistest.Server, p *redistest.Proxy) { p.Arm(redistest.Held, math.MaxInt32) },
			during:  func(s *redistest.Server, _ *redistest.Proxy) { s.Kill() },
			repairs: func(s *redistest.Server, p *redistest.Proxy) { p.Arm(redistest.None, 0); s.Run() },
		},
		{
			name:    "the node is cut off when the store has decided",
			breaks:  func(_ *redistest.Server, p *redistest.Proxy) { p.Arm(redistest.Held, math.MaxInt32) },
			during:  func(_ *redistest.Server, p *redistest.Proxy) { p.Cut(); p.Arm(redistest.Before, math.MaxInt32) },
			repairs: func(*redistest.Server, *redistest.Proxy) {},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes")
			proxy := redistest.NewProxy(t, server.Addr)
			at := func(addr string) *node {
				o := redisstore.Options{Addresses: []string{addr}, Timeout: time.Second / 2}
				return newNode(t, o, storage.DefaultMaxLag, withLeeway(outageLeeway))
			}
			a, b := at(proxy.Addr), at(server.Addr)
			cutOff := tt.name == "the node is cut off when the store has decided"
			people := make([]string, 12)
			for i := range people {
				people[i] = a.login().RefreshToken
			}
			stolen := a.login().RefreshToken
			a.refreshOK(a.refreshOK(stolen).RefreshToken)
			tt.breaks(server, proxy)
			broke := time.Now()
			if n := a.presentAll(people); n > 0 {
				t.Fatalf("%d were answered", n)
			}
			if tt.during != nil {
				tt.during(server, proxy)
			}
			if n := a.presentAll(people); n > 0 && !cutOff {
				t.Fatalf("%d were answered", n)
			}
			time.Sleep(time.Until(broke.Add(outageLength)))
			tt.repairs(server, proxy)
			for i, token := range people {
				n := b
				if i%2 == 0 && !cutOff {
					n = a
				}
				next := n.retry(token)
				if i%3 == 0 {
					n.retry(next.RefreshToken)
				}
			}
			if n := a.events.count(oauth.EventRefreshReuse, "") + b.events.count(oauth.EventRefreshReuse, ""); n > 0 {
				t.Errorf("%d honest clients were taken for thieves", n)
			}
			if cutOff {
				proxy.Arm(redistest.None, 0)
				a.retry(a.retry(people[1]).RefreshToken)
			}
			time.Sleep(outageLeeway + storage.SilentAfter) // until the nodes vouch for themselves again
			b.caught(people[1])
			b.caught(stolen)
			a.caught(people[2])
		})
	}
}

// lossyStore is a real store that loses the answers to what it has decided.
type lossyStore struct {
	storage.Store

	lost, away atomic.Bool
	decided    func() // runs when a refresh was decided; nil for nothing
}

var errLost = errors.New("the answer is lost")

func lossy[T any](s *lossyStore, call func() (T, error)) (T, error) {
	var none T
	if s.away.Load() {
		return none, errLost
	}
	res, err := call()
	if s.lost.Load() {
		return none, errLost
	}
	return res, err
}

func (s *lossyStore) Rotate(ctx context.Context, r storage.RotateRequest) (storage.RotateResult, error) {
	return lossy(s, func() (storage.RotateResult, error) {
		if s.decided != nil {
			defer s.decided()
		}
		return s.Store.Rotate(ctx, r)
	})
}

func (s *lossyStore) Unanswered(ctx context.Context, r storage.UnansweredRequest) error {
	_, err := lossy(s, func() (int, error) { return 0, s.Store.Unanswered(ctx, r) })
	return err
}

func (s *lossyStore) TakeCode(ctx context.Context, r storage.TakeRequest) (storage.TakeResult, error) {
	return lossy(s, func() (storage.TakeResult, error) { return s.Store.TakeCode(ctx, r) })
}

func (s *lossyStore) CreateFamily(ctx context.Context, r storage.CreateRequest) (storage.CreateResult, error) {
	return lossy(s, func() (storage.CreateResult, error) { return s.Store.CreateFamily(ctx, r) })
}

// onLossyFile is a gateway over a file whose answers can be lost.
func onLossyFile(t *testing.T, change ...func(*tokens.Config)) (*gateway, *lossyStore) {
	t.Helper()
	g := &gateway{t: t, now: time.Now().Truncate(time.Second), events: &events{}}
	store := &lossyStore{Store: boltstore.New(boltstore.Options{Path: filepath.Join(t.TempDir(), "test.db"), Clock: g.clock})}
	g.start(store, g.clock, change...)
	return g, store
}

// TestR1AnswersOfTheFile: the disk stands still, so that those who wait are told
// to come again; what was decided is committed all the same.
func TestR1AnswersOfTheFile(t *testing.T) {
	for _, leeway := range []time.Duration{0, 10 * time.Second} {
		for _, decided := range []bool{true, false} {
			t.Run(fmt.Sprint(leeway, decided), func(t *testing.T) {
				g, store := onLossyFile(t, withLeeway(leeway))
				token := g.login().RefreshToken
				broken := &store.away
				if decided {
					broken = &store.lost
				}
				broken.Store(true)
				for range 3 {
					_, err := g.token("spa", refreshRequest(token))
					refused(t, err, oauth.TemporarilyUnavailable, "")
					g.pass(20 * time.Second)
				}
				broken.Store(false)
				next := g.refreshOK(token)
				g.pass(leeway)
				again := g.refreshOK(next.RefreshToken)
				g.pass(leeway)
				g.refusedRefresh(token, oauth.ReasonReuse) // a thief
				g.refusedRefresh(again.RefreshToken, oauth.ReasonUnknown)
			})
		}
	}
}

// TestR1ThiefIsFoundOut: of two who hold what was not answered, the second one is
// found out after the leeway, whoever that is.
func TestR1ThiefIsFoundOut(t *testing.T) {
	g, store := onLossyFile(t)
	token := g.login().RefreshToken
	store.lost.Store(true)
	_, err := g.token("spa", refreshRequest(token))
	refused(t, err, oauth.TemporarilyUnavailable, "")
	store.lost.Store(false)
	g.pass(time.Hour)
	g.refreshOK(token)
	g.pass(11 * time.Second)
	g.refusedRefresh(token, oauth.ReasonReuse)
}

// TestR1HungUp: a client that hangs up while the store decides has got no answer.
// By doing so again and again nobody can put off that they are found out.
func TestR1HungUp(t *testing.T) {
	g, store := onLossyFile(t)
	hangUp := func(token string) {
		ctx, cancel := context.WithCancel(t.Context())
		store.decided = cancel
		defer func() { store.decided = nil }()
		if _, err := g.Token(ctx, g.client("spa"), refreshRequest(token)); err != nil {
			t.Fatal(err)
		}
	}
	token := g.login().RefreshToken
	for range 3 {
		hangUp(token)
		g.pass(time.Minute)
	}
	g.refreshOK(token)
	g.pass(9 * time.Second)
	g.refreshOK(token)
	g.pass(time.Minute)
	g.refusedRefresh(token, oauth.ReasonReuse)
}

// TestR1GoneBefore: a request that is read after its client has hung up, and has gone on at
// another node, is no theft. A thief who hangs up is found out all the same.
func TestR1GoneBefore(t *testing.T) {
	g := newGateway(t)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	first := g.login().RefreshToken
	last := g.refreshOK(g.refreshOK(first).RefreshToken)
	for _, after := range []time.Duration{0, 20 * time.Second} {
		g.pass(after)
		g.passes(last.AccessToken) // so that nothing has to be asked for before the decision
		_, err := g.Token(gone, g.client("spa"), refreshRequest(first))
		refused(t, err, oauth.TemporarilyUnavailable, "")
	}
	if n := g.events.count(oauth.EventTokenRefused, "") + g.events.count(oauth.EventRefreshReuse, ""); n != 0 {
		t.Errorf("%d events of what is nobody's business", n)
	}
	current := g.refreshOK(last.RefreshToken)
	g.pass(31 * time.Second)
	g.passes(current.AccessToken)
	_, err := g.Token(gone, g.client("spa"), refreshRequest(first))
	refused(t, err, oauth.InvalidGrant, oauth.ReasonReuse)
	g.refusedRefresh(current.RefreshToken, oauth.ReasonUnknown)
}

// TestR1NextProcess: a process that has taken leave leaves no doubt behind, one
// that still owed an answer does.
func TestR1NextProcess(t *testing.T) {
	for _, owes := range []bool{false, true} {
		t.Run(fmt.Sprint(owes), func(t *testing.T) {
			path, now := filepath.Join(t.TempDir(), "test.db"), time.Now().Truncate(time.Second)
			next := func() (*gateway, *lossyStore) {
				g := &gateway{t: t, now: now, events: &events{}}
				store := &lossyStore{Store: boltstore.New(boltstore.Options{Path: path, Clock: g.clock})}
				g.start(store, g.clock)
				return g, store
			}
			g, store := next()
			token := g.login().RefreshToken
			if owes {
				store.lost.Store(true)
				_, err := g.token("spa", refreshRequest(token))
				refused(t, err, oauth.TemporarilyUnavailable, "")
				store.away.Store(true) // for the process that ends, to the end
			} else {
				g.refreshOK(token)
			}
			if err := g.state.Close(); err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Hour)
			g, _ = next()
			if owes {
				g.refreshOK(token)
				g.pass(time.Minute)
			}
			g.refusedRefresh(token, oauth.ReasonReuse)
		})
	}
}

// TestR3RefreshWhileTheStoreIsAway: a refresh that can have ended nothing leaves
// guarded routes as they are.
func TestR3RefreshWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(*redistest.Server){"stopped": (*redistest.Server).Stop, "killed": (*redistest.Server).Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			n := newNode(t, redisstore.Options{Addresses: []string{server.Addr}, Timeout: time.Second / 2}, storage.DefaultMaxLag)
			settings := state.Settings{Secrets: n.secrets("a"), TokenLifetime: time.Hour, AllowStale: time.Hour}
			if err := n.state.Configure(t.Context(), settings); err != nil {
				t.Fatal(err)
			}
			res := n.login()
			n.hold(res.AccessToken)
			breaks(server)
			for range 8 { // by the breaker too, in the end
				_, err := n.token("spa", refreshRequest(res.RefreshToken))
				refused(t, err, oauth.TemporarilyUnavailable, "")
				if !n.passes(res.AccessToken) {
					t.Fatal("a guarded route does not go on")
				}
			}
			// The breaker has refused this one: it can't have ended anything either.
			if err := n.Revoke(t.Context(), n.client("spa"), res.RefreshToken); err == nil || !n.passes(res.AccessToken) {
				t.Errorf("a revocation that was not sent: %v", err)
			}
			if name == "stopped" {
				server.Continue() // for the end of the test
			}
		})
	}
}
