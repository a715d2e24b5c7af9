package tokens_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// countingStore counts the calls that repeats must not make.
type countingStore struct {
	storage.Store
	lines  atomic.Int32 // of the feed
	ends   atomic.Int32 // End and DenyToken
	grants atomic.Int32 // PutGrant
	deaf   atomic.Bool
	away   atomic.Bool // grants are out of reach
}

func (s *countingStore) Announce(ctx context.Context, l storage.FeedLine) error {
	if s.deaf.Load() {
		return errors.New("the feed is out of reach")
	}
	s.lines.Add(1)
	return s.Store.Announce(ctx, l)
}

func (s *countingStore) End(ctx context.Context, r storage.EndRequest) (storage.EndResult, error) {
	s.ends.Add(1)
	return s.Store.End(ctx, r)
}

func (s *countingStore) DenyToken(ctx context.Context, user storage.UserTag, id storage.TokenID, until time.Time) error {
	s.ends.Add(1)
	return s.Store.DenyToken(ctx, user, id, until)
}

func (s *countingStore) PutGrant(ctx context.Context, id storage.GrantID, text []byte, keep time.Duration) error {
	s.grants.Add(1)
	if s.away.Load() {
		return errors.New("grants are out of reach")
	}
	return s.Store.PutGrant(ctx, id, text, keep)
}

func countingGateway(t *testing.T, change ...func(*tokens.Config)) (*gateway, *countingStore) {
	t.Helper()
	g := &gateway{t: t, now: time.Now().Truncate(time.Second), events: &events{}}
	store := &countingStore{Store: boltstore.New(boltstore.Options{Path: filepath.Join(t.TempDir(), "test.db"), Clock: g.clock})}
	g.start(store, g.clock, change...)
	return g, store
}

// TestA7AnnouncedOnce: whoever has a dead token sends it again and again. Each time
// it was ended once more in the store, and told to every node, in an event and a line.
func TestA7AnnouncedOnce(t *testing.T) {
	var family storage.FamilyID
	for _, tt := range []struct {
		name   string
		kind   oauth.EventKind
		repeat func(g *gateway, res *tokens.TokenResponse, l *tokens.Login, cookie string) error
	}{
		{"refresh token", oauth.EventRevoked, func(g *gateway, res *tokens.TokenResponse, _ *tokens.Login, _ string) error {
			return g.Revoke(g.t.Context(), g.client("spa"), res.RefreshToken)
		}},
		{"access token", oauth.EventRevoked, func(g *gateway, res *tokens.TokenResponse, _ *tokens.Login, _ string) error {
			return g.Revoke(g.t.Context(), g.client("spa"), res.AccessToken)
		}},
		{"sign out", oauth.EventLogout, func(g *gateway, _ *tokens.TokenResponse, _ *tokens.Login, cookie string) error {
			return g.SignOut(g.t.Context(), cookie)
		}},
		{"sign out one", oauth.EventRevoked, func(g *gateway, res *tokens.TokenResponse, l *tokens.Login, _ string) error {
			c, err := g.CheckAccess(g.t.Context(), res.AccessToken)
			if err == nil {
				family = c.Family
			}
			return g.SignOutOf(g.t.Context(), l, family)
		}},
		{"code used again", oauth.EventCodeReuse, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, store := countingGateway(t)
			l, cookie := g.signIn(alice)
			code := g.codeFor(l)
			res := g.mustToken("spa", codeRequest(code))
			if tt.repeat == nil {
				tt.repeat = func(g *gateway, _ *tokens.TokenResponse, _ *tokens.Login, _ string) error {
					_, err := g.token("spa", codeRequest(code))
					refused(g.t, err, oauth.InvalidGrant, oauth.ReasonCodeSpent)
					return nil
				}
			}
			g.pass(2 * time.Second) // no retry of the code
			store.lines.Store(0)
			store.ends.Store(0)
			repeat := func(n int) {
				t.Helper()
				for range n {
					if err := tt.repeat(g, res, l, cookie); err != nil {
						t.Fatal(err)
					}
				}
			}
			repeat(200)
			if store.lines.Load() != 1 || store.ends.Load() != 1 || g.events.count(tt.kind, "") != 1 {
				t.Errorf("%d lines, %d ends, %d events, want one of each", store.lines.Load(), store.ends.Load(), g.events.count(tt.kind, ""))
			}
			if g.passes(res.AccessToken) {
				t.Error("the access token passes")
			}
			g.pass(1100 * time.Millisecond)
			repeat(200) // the contract: it is written again, at most once in a second
			if store.lines.Load() != 2 || store.ends.Load() != 2 || g.events.count(tt.kind, "") > 2 {
				t.Errorf("%d lines, %d ends, %d events a second later", store.lines.Load(), store.ends.Load(), g.events.count(tt.kind, ""))
			}
		})
	}
}

// TestA7UntoldIsToldAgain: an end that could not be told is no reason to answer 200.
func TestA7UntoldIsToldAgain(t *testing.T) {
	g, store := countingGateway(t)
	res := g.login()
	store.deaf.Store(true)
	for range 3 {
		if err := g.Revoke(t.Context(), g.client("spa"), res.RefreshToken); oauth.AsError(err).Code != oauth.TemporarilyUnavailable {
			t.Fatalf("answered %v", err)
		}
	}
	store.deaf.Store(false)
	if err := g.Revoke(t.Context(), g.client("spa"), res.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if store.lines.Load() == 0 {
		t.Error("200, and nobody was told")
	}
}

// TestA11GrantsEnd: grants of a thousand random scopes stayed for ever. One is kept
// as long as a family may have it, without a call for each login.
func TestA11GrantsEnd(t *testing.T) {
	for _, tt := range []struct {
		name           string
		lifetime, idle time.Duration
		kept           time.Duration // for how long at most, unused
	}{
		{"lifetime and idle", 24 * time.Hour, 2 * time.Hour, 4 * time.Hour},
		{"lifetime", 24 * time.Hour, 0, 30 * time.Hour},
		{"idle alone", 0, 2 * time.Hour, 4 * time.Hour},
		{"neither", 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, store := countingGateway(t, func(c *tokens.Config) {
				for _, client := range c.Clients {
					client.Refresh.Lifetime, client.Refresh.IdleLifetime = tt.lifetime, tt.idle
				}
			})
			var res *tokens.TokenResponse
			for range 5 {
				res = g.login()
			}
			if store.grants.Load() != 1 {
				t.Errorf("%d calls for 5 logins, want 1", store.grants.Load())
			}
			families, err := g.Grants(t.Context(), alice.Subject)
			if err != nil || len(families) == 0 {
				t.Fatal(families, err)
			}
			for range 12 { // in use: never gone while the family lives
				g.pass(110 * time.Minute)
				res = g.refreshOK(res.RefreshToken)
				if text, err := store.Grant(t.Context(), families[0].Grant); err != nil || text == nil {
					t.Fatalf("the grant of a family in use is gone (%v)", err)
				}
			}
			if store.grants.Load() > 15 {
				t.Errorf("%d calls", store.grants.Load())
			}
			if tt.kept == 0 {
				g.pass(1000 * 24 * time.Hour)
			} else {
				g.pass(tt.kept)
			}
			text, err := store.Grant(t.Context(), families[0].Grant)
			if err != nil || (text == nil) != (tt.kept > 0) {
				t.Errorf("long unused: grant %q, %v", text, err)
			}
		})
	}
}

// TestA11KeptLater: in a Cluster grants may lie on a part that is down. A refresh
// that finds it time to keep its grant longer goes on, asks once a minute, and
// later succeeds.
func TestA11KeptLater(t *testing.T) {
	g, store := countingGateway(t, func(c *tokens.Config) {
		for _, client := range c.Clients {
			client.Refresh.Lifetime, client.Refresh.IdleLifetime = 0, 2*time.Hour
		}
	})
	res := g.login()
	store.away.Store(true)
	store.grants.Store(0)
	g.pass(110 * time.Minute)
	for range 5 {
		res = g.refreshOK(res.RefreshToken)
	}
	if store.grants.Load() != 1 {
		t.Errorf("asked %d times, want once", store.grants.Load())
	}
	store.away.Store(false)
	g.pass(61 * time.Second)
	g.refreshOK(res.RefreshToken)
	if store.grants.Load() != 2 {
		t.Errorf("asked %d times, want once more", store.grants.Load())
	}
}

// TestA2Machines: after somebody has moved dates ahead of the clock and an operator
// ends everyone, people sign in at once, and machines some seconds later.
func TestA2Machines(t *testing.T) {
	g := newGateway(t)
	for range 50 {
		g.signIn(alice)
		if _, err := g.EndUser(t.Context(), alice.Subject); err != nil {
			t.Fatal(err)
		}
	}
	until, err := g.EndEveryone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ahead := until.Sub(g.clock()); ahead > storage.MostAhead {
		t.Errorf("everyone is ended until %v from now", ahead)
	}
	machine := tokens.TokenRequest{GrantType: oauth.GrantClientCredentials}
	if _, err := g.token("machine", machine); err != nil && oauth.AsError(err).Code != oauth.TemporarilyUnavailable {
		t.Errorf("a machine hears %v", err)
	}
	g.pass(storage.MostAhead + time.Second)
	g.mustToken("machine", machine)
	g.refreshOK(g.login().RefreshToken)
}
