package tokens_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// moodyStore is a real store that says of itself what a test wants.
type moodyStore struct {
	storage.Store

	beats atomic.Pointer[func(storage.Beat) (storage.Beat, error)]
	open  atomic.Pointer[error] // what Open answers, if not nil
}

func (m *moodyStore) Beat(ctx context.Context, r storage.BeatRequest) (storage.Beat, error) {
	b, err := m.Store.Beat(ctx, r)
	if f := m.beats.Load(); f != nil && err == nil {
		return (*f)(b)
	}
	return b, err
}

func (m *moodyStore) Open(ctx context.Context, r storage.OpenRequest) (storage.OpenResult, error) {
	if err := m.open.Load(); err != nil {
		return storage.OpenResult{}, *err
	}
	return m.Store.Open(ctx, r)
}

// feel sets what the store says; nil is the truth.
func (m *moodyStore) feel(f func(storage.Beat) (storage.Beat, error)) {
	if f == nil {
		m.beats.Store(nil)
		return
	}
	m.beats.Store(&f)
}

// watched is a State over a moodyStore, in a bubble of synthetic time.
type watched struct {
	t      *testing.T
	store  *moodyStore
	state  *state.State
	events *events
	skew   atomic.Int64 // by how much the node's clock is ahead
}

// inBubble runs a test with a watched state, which is open.
func inBubble(t *testing.T, run func(w *watched)) {
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t, events: new(events), store: &moodyStore{Store: boltstore.New(boltstore.Options{Path: path, Clock: time.Now})}}
		w.start(func() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) })
		defer func() {
			if err := w.state.Close(); err != nil {
				t.Error(err)
			}
		}()
		run(w)
	})
}

func (w *watched) start(clock func() time.Time) {
	w.t.Helper()
	var err error
	if w.state, err = state.New(state.Config{
		Store: w.store, Observer: w.events, Clock: clock, CacheBytes: 1 << 20, DenylistEntries: 1000,
	}); err != nil {
		w.t.Fatal(err)
	}
	w.wantHealth(oauth.TroubleStore) // it is not open
	secrets, err := secrets.NewSecrets([]byte("0123456789012345678901234567890123456789"))
	if err != nil {
		w.t.Fatal(err)
	}
	set := state.Settings{Secrets: secrets, TokenLifetime: time.Hour, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}}}
	if err := errors.Join(w.state.Configure(w.t.Context(), set), w.state.Open(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
	w.wantHealth("")
}

// beat lets the background look twice.
func (w *watched) beat() {
	time.Sleep(2 * time.Second) // synthetic
	synctest.Wait()
}

func (w *watched) wantHealth(trouble oauth.Trouble) state.Health {
	w.t.Helper()
	h := w.state.Health()
	if h.Trouble != trouble || (h.Cause != nil) != (trouble != "") {
		w.t.Errorf("health %q (%v), want %q", h.Trouble, h.Cause, trouble)
	}
	return h
}

func (w *watched) wantEvents(kind oauth.EventKind, outcome oauth.Outcome, want int) {
	w.t.Helper()
	if got := w.events.count(kind, outcome); got != want {
		w.t.Errorf("%d events %s %q, want %d", got, kind, outcome, want)
	}
}

func TestHealthOfTheStore(t *testing.T) {
	inBubble(t, func(w *watched) {
		w.beat()
		w.wantEvents(oauth.EventHealth, "", 0) // to be well is no news
		began := time.Now()
		w.store.feel(func(b storage.Beat) (storage.Beat, error) { return b, errors.New("no answer") })
		w.beat()
		if h := w.wantHealth(oauth.TroubleStore); h.Since.Before(began) || h.Since.After(began.Add(time.Second)) {
			w.t.Errorf("trouble since %v, began at %v", h.Since, began)
		}
		w.beat()
		w.wantEvents(oauth.EventHealth, oauth.Outcome(oauth.TroubleStore), 1)
		w.store.feel(nil)
		w.beat()
		w.wantHealth("")
		w.wantEvents(oauth.EventHealth, "ok", 1)
	})
}

// TestHealthIsStale: a process that was suspended does not claim to be well
// before it has looked..
func TestHealthIsStale(t *testing.T) {
	inBubble(t, func(w *watched) {
		w.beat()
		w.skew.Add(int64(2 * time.Minute)) // as a resumed process sees its clock jump
		w.wantHealth(oauth.TroubleStore)
		w.skew.Store(0)
		w.wantHealth("")
	})
}

// TestClockSkew.
func TestClockSkew(t *testing.T) {
	for _, c := range []struct {
		name    string
		skew    time.Duration
		alarm   oauth.Outcome
		trouble oauth.Trouble
	}{
		{"a little ahead", 4 * time.Second, "", ""},
		{"ahead, within the leeway of tokens", 9 * time.Second, oauth.ClockAhead, ""},
		{"R7: ahead", 30 * time.Second, oauth.ClockAhead, oauth.TroubleClock},
		{"an hour ahead", time.Hour, oauth.ClockAhead, oauth.TroubleClock},
		{"behind, within the leeway of tokens", -9 * time.Second, oauth.ClockBehind, ""},
		{"R7: behind", -30 * time.Second, oauth.ClockBehind, oauth.TroubleClock},
		{"an hour behind", -time.Hour, oauth.ClockBehind, oauth.TroubleClock},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(w *watched) {
				w.skew.Store(int64(c.skew))
				w.beat()
				w.beat()
				if h := w.wantHealth(c.trouble); h.ClockSkew != c.skew {
					w.t.Errorf("skew %v, want %v", h.ClockSkew, c.skew)
				}
				want := 0
				if c.alarm != "" {
					want = 1
					w.wantEvents(oauth.EventClockSkew, c.alarm, 1)
				}
				w.skew.Store(0)
				w.beat()
				w.wantHealth("")
				w.wantEvents(oauth.EventClockSkew, oauth.ClockAgrees, want)
				w.wantEvents(oauth.EventClockSkew, "", 2*want)
			})
		})
	}
}

func TestFailoverIsToldOnce(t *testing.T) {
	inBubble(t, func(w *watched) {
		w.store.feel(func(b storage.Beat) (storage.Beat, error) { b.Failovers = 3; return b, nil })
		w.beat()
		w.beat()
		w.wantEvents(oauth.EventStoreFailover, "", 1)
		if h := w.wantHealth(""); h.Failovers != 3 {
			w.t.Errorf("%d failovers, want 3", h.Failovers)
		}
	})
}

// TestLostStore: while a store that has lost its birth mark can't be opened,
// nothing is decided by it.
func TestLostStore(t *testing.T) {
	inBubble(t, func(w *watched) {
		wrong := storage.ErrWrongSecret
		w.store.open.Store(&wrong)
		w.store.feel(func(b storage.Beat) (storage.Beat, error) { b.Born = time.Time{}; return b, nil })
		w.beat()
		w.wantHealth(oauth.TroubleSecret)
		if err := w.state.Open(w.t.Context()); !errors.Is(err, storage.ErrWrongSecret) {
			w.t.Errorf("a store of others may be used: %v", err)
		}
		w.store.open.Store(nil)
		w.store.feel(nil)
		w.beat()
		w.wantHealth("")
		if err := w.state.Open(w.t.Context()); err != nil {
			w.t.Errorf("the store is back: %v", err)
		}
		w.wantEvents(oauth.EventStoreNew, "", 0)
	})
}

// useDatabase closes the database and opens another, as a start of Caddy does.
func (g *gateway) useDatabase(path string) {
	g.t.Helper()
	err := g.state.Close()
	g.store = boltstore.New(boltstore.Options{Path: path, Clock: g.clock})
	if err == nil {
		g.state, err = state.New(state.Config{
			Store: g.store, Observer: g.events, Clock: g.clock, CacheBytes: 1 << 20, DenylistEntries: 1000,
		})
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.configureSecrets("a")
	if err := g.state.Open(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	g.reload()
}

// TestDatabaseDeleted: a gateway that starts without its database knows nothing
// of what was before.
func TestDatabaseDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	g := newGateway(t)
	g.useDatabase(path)
	issued := g.login()
	g.useDatabase(path)
	if !g.passes(issued.AccessToken) {
		t.Fatal("a token does not pass after a restart")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	g.useDatabase(path)
	if g.passes(issued.AccessToken) {
		t.Error("a token from before the database was deleted passes")
	}
	g.refusedRefresh(issued.RefreshToken, oauth.ReasonGrantUnknown)
	again := g.login()
	if !g.passes(again.AccessToken) {
		t.Error("a token of the new database does not pass")
	}
	g.refreshOK(again.RefreshToken)
}

// TestCloseWhileTheStoreIsNew: the state is closed just when the heartbeat finds
// another store: neither waits for the other.
func TestCloseWhileTheStoreIsNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t, events: new(events), store: &moodyStore{Store: boltstore.New(boltstore.Options{Path: path, Clock: time.Now})}}
		var found atomic.Bool // the heartbeat, which reads the clock next
		closed := make(chan error, 1)
		w.start(func() time.Time {
			if found.CompareAndSwap(true, false) {
				go func() { closed <- w.state.Close() }()
				time.Sleep(time.Second)
			}
			return time.Now()
		})
		w.store.feel(func(b storage.Beat) (storage.Beat, error) {
			b.Born = b.Born.Add(time.Hour)
			found.Store(true)
			return b, nil
		})
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}
