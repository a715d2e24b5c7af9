package tokens_test

import (
	"context"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/logout"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// inbox is an application that is told of sign-outs: the claims of the tokens that came.
type inbox struct {
	t    *testing.T
	mu   sync.Mutex
	came []map[string]any
	news chan struct{}
}

func (b *inbox) deliver(_ context.Context, to logout.Receiver, token string) error {
	_, claims := parts(b.t, token)
	b.mu.Lock()
	defer b.mu.Unlock()
	claims["to"] = to.URI
	b.came = append(b.came, claims)
	b.news <- struct{}{}
	return nil
}

// next waits for one.
func (b *inbox) next() map[string]any {
	b.t.Helper()
	select {
	case <-b.news:
	case <-time.After(20 * time.Second):
		b.t.Fatal("the application is not told")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.came[len(b.came)-1]
}

const backChannel = "https://app.example.com/backchannel"

func toldSPA(c *tokens.Config) {
	for _, client := range c.Clients {
		if client.ID == "spa" {
			client.BackChannelURI = backChannel
		}
	}
}

// telling lets a gateway tell its clients.
func (g *gateway) telling() *inbox {
	g.t.Helper()
	err := g.state.Configure(g.t.Context(), state.Settings{
		Secrets: g.secrets("a"), TokenLifetime: time.Hour, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}}, TellsClients: true,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	b := &inbox{t: g.t, news: make(chan struct{}, 100)}
	s := g.LogoutSender(b.deliver)
	s.Start()
	g.t.Cleanup(s.Close)
	return b
}

// H9: an application without refresh tokens is told as well, with the sid and sub of its ID
// token, by whatever ends the session: on both stores, and by the other of two nodes.
func TestH9ToldOfSignOut(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, end := range map[string]func(g *gateway, l *tokens.Login, cookie string, res *tokens.TokenResponse) error{
		"sign-out": func(g *gateway, _ *tokens.Login, cookie string, _ *tokens.TokenResponse) error {
			return g.SignOut(g.t.Context(), cookie)
		},
		"everywhere": func(g *gateway, l *tokens.Login, _ string, _ *tokens.TokenResponse) error {
			return g.SignOutEverywhere(g.t.Context(), l)
		},
		"an operator": func(g *gateway, _ *tokens.Login, _ string, _ *tokens.TokenResponse) error {
			_, err := g.EndUser(g.t.Context(), alice.Subject)
			return err
		},
		"a new password": func(g *gateway, _ *tokens.Login, _ string, _ *tokens.TokenResponse) error {
			changed := alice
			changed.Fingerprint = storage.Fingerprint{9}
			_, _, err := g.SignIn(g.t.Context(), changed, "")
			return err
		},
		"another person in the same browser": func(g *gateway, _ *tokens.Login, cookie string, _ *tokens.TokenResponse) error {
			_, _, err := g.SignIn(g.t.Context(), carol, cookie)
			return err
		},
		"the provider": func(g *gateway, _ *tokens.Login, _ string, _ *tokens.TokenResponse) error {
			return g.EndProvided(g.t.Context(), tokens.ProviderLogout{Login: "local", Subject: "alice", ByID: true, At: g.cfg.Clock()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := newGateway(t, toldSPA)
			a, b := newNode(t, onServer(server, t), neverLag, toldSPA), newNode(t, onServer(server, t), neverLag, toldSPA)
			here := local.telling()
			first, second := a.telling(), b.telling()
			for _, at := range []struct {
				g     *gateway
				boxes []*inbox
			}{{local, []*inbox{here}}, {b.gateway, []*inbox{first, second}}} {
				l, cookie := at.g.signIn(alice)
				res := at.g.exchanged(at.g.codeFor(l, "scope", "openid"))
				_, id := parts(t, res.IDToken)
				if err := end(at.g, l, cookie, res); err != nil {
					t.Fatal(err)
				}
				var came map[string]any
				select {
				case <-at.boxes[0].news:
					at.boxes[0].news <- struct{}{}
					came = at.boxes[0].next()
				case <-at.boxes[len(at.boxes)-1].news:
					at.boxes[len(at.boxes)-1].news <- struct{}{}
					came = at.boxes[len(at.boxes)-1].next()
				case <-time.After(20 * time.Second):
					t.Fatal("the application is not told")
				}
				if came["sid"] != id["sid"] || came["sub"] != alice.Subject || came["aud"] != "spa" || came["iss"] != issuerURL || came["to"] != backChannel {
					t.Errorf("told %v, of %v", came, id)
				}
			}
		})
	}
}

// At /account, the application whose login is ended there is told; one that gives its own
// token back is not.
func TestH9ToldOfOneLogin(t *testing.T) {
	g := newGateway(t, toldSPA)
	b := g.telling()
	l, _ := g.signIn(alice)
	res := g.exchanged(g.codeFor(l))
	ok(t, g.Revoke(t.Context(), g.client("spa"), res.RefreshToken))
	res = g.exchanged(g.codeFor(l))
	families, err := g.store.ListFamilies(t.Context(), l.Session.User)
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	ok(t, g.SignOutOf(t.Context(), l, families[0].ID))
	_, id := parts(t, res.IDToken)
	if came := b.next(); came["sid"] != id["sid"] {
		t.Errorf("told %v, of %v", came, id)
	}
	if len(b.came) != 1 {
		t.Errorf("told %d times", len(b.came))
	}
	until := time.After(20 * time.Second)
	for g.events.count(oauth.EventLogoutSent, oauth.OutcomeOK) != 1 {
		select {
		case <-g.events.changed():
		case <-until:
			t.Fatal("nobody hears of it")
		}
	}
}

// spent counts the calls of the store that something makes, but for those of the background.
func (n *node) spent(do func()) map[string]int {
	before := n.called()
	do()
	spent := n.called()
	maps.DeleteFunc(spent, func(op string, _ int) bool {
		switch op {
		case "beat", "feed_end", "read_feed", "feed", "feed_append", "announce", "denials", "client_watermarks", "append_history", "watch", "now", "keys":
			return true // of the background, and what a sign-out has told ever since
		}
		return false
	})
	for op := range spent {
		if spent[op] -= before[op]; spent[op] == 0 {
			delete(spent, op)
		}
	}
	return spent
}

// The budget: where no client is to be told a sign-out is one call and writes no key, and
// where some are it is one more; a code costs what it cost.
func TestH9Calls(t *testing.T) {
	server := redistest.Start(t)
	without := newNode(t, onServer(server, t), neverLag)
	with := newNode(t, onServer(server, t), neverLag, toldSPA)
	err := with.state.Configure(t.Context(), state.Settings{
		Secrets: with.secrets("a"), TokenLifetime: time.Hour, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}}, MaxLag: neverLag, TellsClients: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		n    *node
		want map[string]int
	}{
		{without, map[string]int{"end": 1}},
		{with, map[string]int{"end": 1, "expect_logouts": 1}},
	} {
		l, cookie := tt.n.signIn(alice)
		code := tt.n.codeFor(l)
		if got := tt.n.spent(func() { tt.n.exchanged(code) }); got["take_code"] != 1 || got["create_family"] != 1 || len(got) > 3 {
			t.Errorf("a code: %v", got)
		}
		if tt.n == with {
			// What follows in the background is apart: so this is somebody who has taken no code.
			_, cookie = tt.n.signIn(alice)
		}
		if got := tt.n.spent(func() { ok(t, tt.n.SignOut(t.Context(), cookie)) }); !maps.Equal(got, tt.want) {
			t.Errorf("a sign-out: %v, want %v", got, tt.want)
		}
		for who, want := range map[string]map[string]int{
			alice.Subject: {"create_session": 1}, // the same person again
			carol.Subject: {"create_session": 1, "end": 1},
		} {
			_, cookie = tt.n.signIn(alice)
			next := tokens.Profile{Subject: who, Login: "local", Fingerprint: alice.Fingerprint}
			if expected := tt.want["expect_logouts"]; expected > 0 {
				want["expect_logouts"] = expected * len(want)
			}
			got := tt.n.spent(func() {
				_, _, err := tt.n.SignIn(t.Context(), next, cookie)
				ok(t, err)
			})
			if !maps.Equal(got, want) {
				t.Errorf("%s uses alice's browser: %v, want %v", who, got, want)
			}
		}
		if keys := server.Do("KEYS", "*"); tt.n == without && (strings.Contains(keys, "}o") || strings.Contains(keys, "}t")) {
			t.Errorf("there are keys %s", keys)
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// deafStore is a real store that does not hear of ends to come.
type deafStore struct {
	storage.Store

	deaf     atomic.Bool
	expected atomic.Int64
}

func (s *deafStore) ExpectLogouts(ctx context.Context, r storage.ExpectRequest) error {
	if s.deaf.Load() {
		return errLost
	}
	if !r.Written {
		s.expected.Add(1)
	}
	return s.Store.ExpectLogouts(ctx, r)
}

// H9: nobody stays signed in because the store can't note whom to tell, and they are told later;
// whatever may end a session is noted before.
func TestH9EndsUnheard(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, end := range map[string]func(g *gateway, cookie string) error{
		"sign-out": func(g *gateway, cookie string) error { return g.SignOut(g.t.Context(), cookie) },
		"a new password": func(g *gateway, _ string) error {
			changed := alice
			changed.Fingerprint = storage.Fingerprint{9}
			_, _, err := g.SignIn(g.t.Context(), changed, "")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &deafStore{Store: redisstore.New(onServer(server, t))}
			g := &gateway{t: t, events: &events{}, now: time.Now()}
			g.start(store, time.Now, toldSPA)
			b := g.telling()
			l, cookie := g.signIn(alice)
			if store.expected.Load() != 1 {
				t.Error("a login, which may end what was before, is not noted")
			}
			g.exchanged(g.codeFor(l, "scope", "openid"))
			store.deaf.Store(true)
			ok(t, end(g, cookie))
			if current, err := g.CurrentLogin(t.Context(), cookie); err != nil || current != nil {
				t.Fatalf("still signed in: %v, %v", current, err)
			}
			store.deaf.Store(false)
			if came := b.next(); came["sub"] != alice.Subject {
				t.Errorf("told %v", came)
			}
			before := store.expected.Load()
			_, err := g.state.EndRecheck(t.Context(), storage.RecheckAnswer{User: l.Session.User, Root: l.Session.Root, Answer: storage.ProviderGone})
			if ok(t, err); store.expected.Load() != before+1 {
				t.Error("the end by a provider is not noted")
			}
		})
	}
}
