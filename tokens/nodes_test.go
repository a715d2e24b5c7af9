package tokens_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// neverLag is a MaxLag so long that only the feed can have brought a revocation.
const neverLag = 5 * time.Minute

// node is a gateway over a Redis that it shares with others.
type node struct {
	*gateway
	mu    sync.Mutex
	calls map[string]int // of the store
}

func newNode(t *testing.T, o redisstore.Options, maxLag time.Duration, change ...func(*tokens.Config)) *node {
	t.Helper()
	n := &node{gateway: &gateway{t: t, events: &events{}}, calls: map[string]int{}}
	o.OnCall = func(_ context.Context, op string, _ time.Duration, _ error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.calls[op]++
	}
	strict := func(c *tokens.Config) {
		for _, client := range c.Clients {
			client.Refresh.Leeway = 0
		}
	}
	n.start(redisstore.New(o), time.Now, append([]func(*tokens.Config){strict}, change...)...)
	n.lag(maxLag)
	n.until("the node reads the feed", func() bool { return !n.state.Denylist.FeedStats().Read.IsZero() })
	return n
}

// lag configures MaxLag.
func (n *node) lag(d time.Duration) {
	n.t.Helper()
	err := n.state.Configure(n.t.Context(), state.Settings{
		Secrets: n.secrets("a"), TokenLifetime: time.Hour, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}}, MaxLag: d,
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) until(what string, holds func() bool) time.Duration {
	n.t.Helper()
	start := time.Now()
	for ; !holds(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			n.t.Fatalf("waiting in vain: %s", what)
		}
	}
	return time.Since(start)
}

// called returns how often the store was called so far.
func (n *node) called() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.calls)
}

// hold lets a node see a token until it asks the store no more.
func (n *node) hold(token string) {
	n.t.Helper()
	n.until("a verdict is held", func() bool {
		before := n.state.Denylist.Asked()
		return n.passes(token) && n.state.Denylist.Asked() == before
	})
}

// refusesSoon demands that a token is refused, long before neverLag is over, and
// never passes again. How soon it is, bench/ measures.
func (n *node) refusesSoon(token string) {
	n.t.Helper()
	took := n.until("the other node refuses the token", func() bool { return !n.passes(token) })
	n.t.Logf("refused after %v", took.Round(10*time.Microsecond))
	for range 1000 {
		if n.passes(token) {
			n.t.Fatal("a token that was refused passes again")
		}
	}
}

// onServer are options for a store of its own on a shared server.
func onServer(server *redistest.Server, t *testing.T) redisstore.Options {
	return redisstore.Options{Addresses: []string{server.Addr}, KeyPrefix: t.Name() + ":", Timeout: 5 * time.Second}
}

// denyings are all that denies access tokens. Each gets the answer to Alice's
// login with its code and session.
var denyings = []struct {
	name string
	deny func(n *node, res *tokens.TokenResponse, code, cookie string)
}{
	{"access token revoked", func(n *node, res *tokens.TokenResponse, _, _ string) {
		n.must(n.Revoke(n.t.Context(), n.client("spa"), res.AccessToken))
	}},
	{"refresh token revoked", func(n *node, res *tokens.TokenResponse, _, _ string) {
		n.must(n.Revoke(n.t.Context(), n.client("spa"), res.RefreshToken))
	}},
	{"refresh token reused", func(n *node, res *tokens.TokenResponse, _, _ string) {
		n.refreshOK(res.RefreshToken)
		n.refusedRefresh(res.RefreshToken, oauth.ReasonReuse)
	}},
	{"code used twice", func(n *node, _ *tokens.TokenResponse, code, _ string) {
		r := codeRequest(code)
		r.CodeVerifier = strings.Repeat("x", 43)
		_, err := n.token("spa", r)
		refused(n.t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
	}},
	{"signed out", func(n *node, _ *tokens.TokenResponse, _, cookie string) {
		n.must(n.SignOut(n.t.Context(), cookie))
	}},
	{"user ended", func(n *node, _ *tokens.TokenResponse, _, _ string) {
		_, err := n.EndUser(n.t.Context(), alice.Subject)
		n.must(err)
	}},
	{"H10: consent withdrawn", func(n *node, _ *tokens.TokenResponse, _, cookie string) {
		l, err := n.CurrentLogin(n.t.Context(), cookie)
		n.must(err)
		n.must(n.WithdrawConsent(n.t.Context(), l, n.client("spa").Tag()))
	}},
	{"client ended", func(n *node, _ *tokens.TokenResponse, _, _ string) {
		n.must(n.EndClient(n.t.Context(), "spa"))
	}},
	{"evicted", func(n *node, _ *tokens.TokenResponse, _, _ string) {
		n.login()
		n.login()
	}},
	{"password changed", func(n *node, _ *tokens.TokenResponse, _, _ string) {
		changed := alice
		changed.Fingerprint = storage.FingerprintOf("$2a$another")
		n.signIn(changed)
	}},
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// TestNodesDeny denies access tokens on one node in every way there is: the
// other one refuses them by the feed, as this one does at once.
func TestNodesDeny(t *testing.T) {
	server := redistest.Start(t)
	for _, d := range denyings {
		t.Run(d.name, func(t *testing.T) {
			two := func(c *tokens.Config) {
				for _, client := range c.Clients {
					client.Refresh.MaxActive = 2
				}
			}
			a, b := newNode(t, onServer(server, t), neverLag, two), newNode(t, onServer(server, t), neverLag, two)
			l, cookie := a.signIn(alice)
			code := a.codeFor(l)
			res := a.mustToken("spa", codeRequest(code))
			other, err := a.token("machine", tokens.TokenRequest{GrantType: oauth.GrantClientCredentials})
			a.must(err)
			for _, n := range []*node{a, b} {
				n.hold(res.AccessToken)
				n.hold(other.AccessToken)
			}
			d.deny(a, res, code, cookie)
			if a.passes(res.AccessToken) {
				t.Error("the node that denied it lets it pass")
			}
			b.refusesSoon(res.AccessToken)
			if !b.passes(other.AccessToken) {
				t.Error("a token of somebody else is refused")
			}
			if n := b.called()["announce"]; n != 0 {
				t.Errorf("the other node has written %d lines", n)
			}
		})
	}
}

// TestNodesWithoutFeed forbids one node to read the feed: MaxLag alone brings
// the revocation, and the node says what is wrong.
func TestNodesWithoutFeed(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all")
	options := onServer(server, t)
	a := newNode(t, options, neverLag)
	options.Username, options.Password = "deaf", "secret"
	b := newNode(t, options, neverLag)
	server.Do("ACL", "SETUSER", "deaf", "-xread")
	b.until("the node has lost the feed", func() bool { return b.events.count(oauth.EventStoreTrouble, "feed") > 0 })

	const maxLag = time.Second
	b.lag(maxLag)
	for range 3 {
		res := a.login()
		b.hold(res.AccessToken)
		a.must(a.Revoke(t.Context(), a.client("spa"), res.RefreshToken))
		b.refusesSoon(res.AccessToken)
	}
	if n := b.events.count(oauth.EventStoreTrouble, "feed"); n > 2 {
		t.Errorf("one outage of the feed was told %d times", n)
	}
	server.Do("ACL", "SETUSER", "deaf", "+xread")
	b.until("the feed is back", func() bool { return b.state.Denylist.FeedStats().Flushes[storage.FeedCut] > 0 })
	b.lag(neverLag)
	res := a.login()
	b.hold(res.AccessToken)
	a.must(a.Revoke(t.Context(), a.client("spa"), res.RefreshToken))
	b.refusesSoon(res.AccessToken)
}

// TestNodesLostLines breaks what stands between two nodes, and revokes in that
// moment: the other node refuses the token soon after it can hear of it again.
func TestNodesLostLines(t *testing.T) {
	for _, tt := range []struct {
		name  string
		wreck func(server *redistest.Server, proxy *redistest.Proxy, keys string)
	}{
		{"connections cut", func(_ *redistest.Server, proxy *redistest.Proxy, _ string) { proxy.Cut() }},
		{"clients killed", func(server *redistest.Server, _ *redistest.Proxy, _ string) {
			server.Do("CLIENT", "KILL", "TYPE", "normal")
		}},
		{"trimmed", func(server *redistest.Server, _ *redistest.Proxy, keys string) {
			server.Do("XTRIM", keys+"{feed}l", "MAXLEN", "0")
		}},
		{"deleted", func(server *redistest.Server, _ *redistest.Proxy, keys string) {
			server.Do("DEL", keys+"{feed}l", keys+"{feed}e")
		}},
		{"restarted", func(server *redistest.Server, _ *redistest.Proxy, _ string) {
			server.Do("SAVE")
			server.Kill()
			server.Run()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.NewProxy(t, server.Addr)
			options := onServer(server, t)
			a := newNode(t, options, neverLag)
			options.Addresses = []string{proxy.Addr}
			b := newNode(t, options, neverLag)
			for range 3 {
				var res *tokens.TokenResponse
				a.until("Redis is back", func() bool {
					code, err := a.tryCode()
					if err == nil {
						res, err = a.token("spa", codeRequest(code))
					}
					return err == nil
				})
				b.until("Redis is back", func() bool { _, err := b.CheckAccess(t.Context(), res.AccessToken); return err == nil })
				b.hold(res.AccessToken)
				tt.wreck(server, proxy, options.KeyPrefix)
				a.until("the revocation is answered", func() bool { return a.Revoke(t.Context(), a.client("spa"), res.RefreshToken) == nil })
				took := a.until("the other node refuses the token", func() bool {
					_, err := b.CheckAccess(t.Context(), res.AccessToken)
					return err != nil && oauth.AsError(err).Code == oauth.InvalidToken
				})
				t.Logf("refused after %v", took.Round(10*time.Microsecond))
			}
		})
	}
}

// tryCode logs Alice in where the store may be out of reach.
func (n *node) tryCode() (string, error) {
	l, _, err := n.SignIn(n.t.Context(), alice, "")
	if err != nil {
		return "", err
	}
	a, err := n.ParseAuthorization(n.t.Context(), request())
	if err != nil {
		return "", err
	}
	return n.IssueCode(n.t.Context(), a, l)
}

// commands returns how often Redis ran each command so far.
func commands(server *redistest.Server) map[string]int {
	counts := map[string]int{}
	for line := range strings.Lines(server.Do("INFO", "commandstats")) {
		name, rest, found := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cmdstat_"), ":calls=")
		calls, _, _ := strings.Cut(rest, ",")
		if n, err := strconv.Atoi(calls); found && err == nil {
			counts[name] = n
		}
	}
	return counts
}

// TestRefreshIsOneRoundTrip: a refresh that denies nothing is one script, and no line.
func TestRefreshIsOneRoundTrip(t *testing.T) {
	server := redistest.Start(t)
	a := newNode(t, onServer(server, t), neverLag)
	token := a.refreshOK(a.login().RefreshToken).RefreshToken
	a.until("the login is in a history", func() bool { return commands(server)["rpush"] > 0 })
	calls, before, start := a.called(), commands(server), time.Now()
	const refreshes = 500
	for range refreshes {
		token = a.refreshOK(token).RefreshToken
	}
	background := 4 + 4*int(time.Since(start).Seconds()+1) // the heartbeat and the feed go on
	after := commands(server)
	if n := after["evalsha"] - before["evalsha"]; n < refreshes || n > refreshes+background {
		t.Errorf("%d scripts for %d refreshes", n, refreshes)
	}
	if n := after["xadd"] - before["xadd"] + after["eval"] - before["eval"]; n != 0 {
		t.Errorf("%d lines and unknown scripts", n)
	}
	now := a.called()
	if n := now["rotate"] - calls["rotate"]; n != refreshes {
		t.Errorf("%d calls for %d refreshes", n, refreshes)
	}
	if now["announce"] != calls["announce"] || now["denials"] != calls["denials"] {
		t.Errorf("calls %v, before %v", now, calls)
	}
}

// TestGuardIsNoRoundTrip: ten thousand requests with one token cost a handful of renewals.
func TestGuardIsNoRoundTrip(t *testing.T) {
	server := redistest.Start(t)
	a := newNode(t, onServer(server, t), time.Second)
	token := a.login().AccessToken
	a.hold(token)
	asked, before, start := a.state.Denylist.Asked(), commands(server), time.Now()
	tick := time.NewTicker(20 * time.Millisecond) // so that verdicts grow old meanwhile
	defer tick.Stop()
	for range 100 {
		<-tick.C
		for range 100 {
			if !a.passes(token) {
				t.Fatal("refused")
			}
		}
	}
	seconds := int(time.Since(start).Seconds()) + 1
	after := commands(server)
	scripts := after["evalsha"] - before["evalsha"]
	t.Logf("%d scripts, of them all the background's, in %d s", scripts, seconds)
	if scripts > 4+12*seconds { // watermarks four times in MaxLag, renewals twice, the heartbeat, the feed
		t.Errorf("%d scripts for 10,000 requests in %d s", scripts, seconds)
	}
	if n := a.state.Denylist.Asked() - asked; n > 20 { // a machine that stalls for half of MaxLag is too late to renew
		t.Errorf("%d requests waited for Redis", n)
	}
}

// TestMissesShareRoundTrips: many users seen for the first time, at once.
func TestMissesShareRoundTrips(t *testing.T) {
	server := redistest.Start(t)
	options := onServer(server, t)
	options.PoolSize = 100
	a := newNode(t, options, neverLag)
	claims := make([]*denylist.Token, 2000)
	for i := range claims {
		claims[i] = &denylist.Token{User: storage.TagSubject(fmt.Sprint("local|", i)), IssuedAt: time.Now()}
	}
	before := commands(server)["evalsha"]
	calls := a.called()["denials"]
	server.Stop() // so that they come together, on a slow machine as well
	var callers sync.WaitGroup
	var came atomic.Int32
	for _, c := range claims {
		callers.Go(func() {
			came.Add(1)
			if err := a.state.Denylist.Check(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	a.until("all have come", func() bool { return int(came.Load()) == len(claims) })
	server.Continue()
	callers.Wait()
	scripts, questions := commands(server)["evalsha"]-before, a.called()["denials"]-calls
	t.Logf("%d questions, %d scripts about %d users", questions, scripts, len(claims))
	if questions > 40 || scripts > 100 {
		t.Errorf("%d questions, %d scripts about %d users", questions, scripts, len(claims))
	}
}

// TestNodesRace revokes while the other node is asked all the time: R-44 between
// nodes. A token that was refused once never passes again.
func TestNodesRace(t *testing.T) {
	server := redistest.Start(t)
	a, b := newNode(t, onServer(server, t), neverLag), newNode(t, onServer(server, t), neverLag)
	var users sync.WaitGroup
	for n := range 40 {
		p := alice
		p.Subject = fmt.Sprint("company|", n)
		p.Fingerprint = company
		l, _ := a.signIn(p)
		res := a.mustToken("spa", codeRequest(a.codeFor(l)))
		users.Go(func() {
			var revoked, denied atomic.Int64 // nanoseconds since the beginning, 0 for not yet
			start := time.Now()
			var readers sync.WaitGroup
			for range 3 {
				readers.Go(func() {
					for {
						asked, was := time.Since(start), denied.Load()
						_, err := b.CheckAccess(t.Context(), res.AccessToken)
						at := time.Duration(revoked.Load())
						switch {
						case err != nil && oauth.AsError(err).Code != oauth.InvalidToken: // the store had no time
						case err != nil:
							denied.CompareAndSwap(0, int64(time.Since(start)))
							if at != 0 && time.Since(start) > at+time.Second {
								return
							}
						case was != 0:
							t.Errorf("user %d: passes after it was refused", n)
							return
						case at != 0 && asked > at+neverLag/10:
							t.Errorf("user %d: passes %v after the revocation", n, asked-at)
							return
						}
						time.Sleep(100 * time.Microsecond) // the feed needs the processor too
					}
				})
			}
			if err := a.Revoke(t.Context(), a.client("spa"), res.RefreshToken); err != nil {
				t.Error(err)
			}
			revoked.Store(int64(time.Since(start)))
			if a.passes(res.AccessToken) {
				t.Errorf("user %d: the node that revoked it lets it pass", n)
			}
			readers.Wait()
		})
	}
	users.Wait()
}
