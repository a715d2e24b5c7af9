package caddymodule

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
	logtest "go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// recordingStore is a bolt store that notes under which lifetime it is opened,
// which stands for the settings.
type recordingStore struct {
	BoltStore
	storage.Store

	opened []time.Duration
}

func (r *recordingStore) NewStore(onCall storeCall) storage.Store {
	r.Store = r.BoltStore.NewStore(onCall)
	return r
}

func (r *recordingStore) Open(ctx context.Context, o storage.OpenRequest) (storage.OpenResult, error) {
	r.opened = append(r.opened, o.TokenLifetime)
	return r.Store.Open(ctx, o)
}

func testConfiguration(t *testing.T, lifetime time.Duration, secret string) (*configuration, *logtest.ObservedLogs) {
	t.Helper()
	core, logs := logtest.New(zap.InfoLevel)
	secrets, err := secrets.NewSecrets([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return &configuration{
		store:    new(BoltStore),
		observer: events.NewObserver(zap.New(core), events.NewMetrics(), nil),
		settings: state.Settings{
			Secrets: secrets, TokenLifetime: lifetime, Keys: keyring.Settings{Algorithms: []jose.Algorithm{jose.ES256}},
		},
	}, logs
}

func TestSettingsFollowTheNewestConfiguration(t *testing.T) {
	store := &recordingStore{BoltStore: BoltStore{file: filepath.Join(t.TempDir(), "gatehouse.db")}}
	limits := stateLimits{cacheBytes: 1 << 20, denylistEntries: 1000}
	shared, err := shareState(store, limits, events.NewMetrics(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := states.Delete(store.PoolKey()); err != nil {
			t.Error(err)
		}
	}()
	secret := NewGatewaySecret()
	a, logsOfA := testConfiguration(t, 1*time.Minute, secret)
	b, logsOfB := testConfiguration(t, 2*time.Minute, secret)
	c, logsOfC := testConfiguration(t, 3*time.Minute, secret)
	stranger, logsOfStranger := testConfiguration(t, 4*time.Minute, NewGatewaySecret())
	ctx := t.Context()
	steps := []struct {
		name  string
		do    func() error
		opens []time.Duration       // what the store is opened with
		heard *logtest.ObservedLogs // who hears of it then
		fails bool
	}{
		{"the first starts", func() error { return shared.enter(ctx, a) }, nil, logsOfA, false},
		{"and opens", func() error { return shared.state.Open(ctx) }, []time.Duration{time.Minute}, logsOfA, false},
		{"a second starts", func() error { return shared.enter(ctx, b) }, []time.Duration{2 * time.Minute}, logsOfB, false},
		{"one with another secret does not", func() error { return shared.enter(ctx, stranger) }, []time.Duration{4 * time.Minute}, logsOfB, true},
		{"and leaves", func() error { return shared.leave(ctx, stranger) }, nil, logsOfB, false},
		{"a third starts", func() error { return shared.enter(ctx, c) }, []time.Duration{3 * time.Minute}, logsOfC, false},
		{"the first, which is not the newest, leaves", func() error { return shared.leave(ctx, a) }, nil, logsOfC, false},
		{"the newest is taken back", func() error { return shared.leave(ctx, c) }, []time.Duration{2 * time.Minute}, logsOfB, false},
		{"the last leaves", func() error { return shared.leave(ctx, b) }, nil, logsOfB, false},
	}
	for _, step := range steps {
		store.opened = nil
		if err := step.do(); (err != nil) != step.fails {
			t.Fatalf("%s: error %v", step.name, err)
		}
		if !slices.Equal(store.opened, step.opens) {
			t.Errorf("%s: opened with %v, want %v", step.name, store.opened, step.opens)
		}
		shared.observer.Happened(ctx, oauth.Event{Kind: oauth.EventAdmin, Outcome: "backup"})
		for _, logs := range []*logtest.ObservedLogs{logsOfA, logsOfB, logsOfC, logsOfStranger} {
			if heard := logs.FilterMessage("admin").Len() > 0; heard != (logs == step.heard) {
				t.Errorf("%s: the wrong configuration hears of it", step.name)
			}
			logs.TakeAll()
		}
	}
}

func TestOneStateForOneFile(t *testing.T) {
	dir := t.TempDir()
	limits := stateLimits{cacheBytes: 1 << 20, denylistEntries: 1000}
	open := func(name string) *sharedState {
		store := &BoltStore{file: filepath.Join(dir, name)}
		shared, err := shareState(store, limits, events.NewMetrics(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = states.Delete(store.PoolKey()) })
		return shared
	}
	a, b, other := open("a.db"), open("a.db"), open("b.db")
	if a != b {
		t.Error("two configurations over one file have two states")
	}
	if a == other {
		t.Error("two files have one state")
	}
}
