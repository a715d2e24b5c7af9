package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
)

// states are the open stores of the process by StoreModule.PoolKey. A reload
// provisions the new configuration before the old one ends, and the old one's
// requests may run for hours: both use one State.
var states = caddy.NewUsagePool()

// sharedState is a State with the configurations that use it. The settings
// and the observer are those of the newest that has started; when that one is
// taken back, because another of its apps failed to start, those of the one before.
type sharedState struct {
	state    *state.State
	observer *events.SharedObserver
	requests *handler.Limits // what is counted of requests
	limits   stateLimits     // of the configuration that made it

	generated atomic.Pointer[string] // the generated secret in use, if there is one

	mu   sync.Mutex
	live []*configuration
}

// configuration is what one configuration wants of shared state.
type configuration struct {
	store      StoreModule // as this configuration has it
	settings   state.Settings
	observer   *events.Observer
	issuer     *tokens.Issuer
	protection *protection // once its app has started
}

// stateLimits are the bounds of the caches of shared state, fixed while it lives.
type stateLimits struct {
	cacheBytes      int64
	denylistEntries int64
}

// shareState finds the state of a store in the pool or makes it. It opens nothing.
// It calls denied when something may have been denied.
func shareState(store StoreModule, limits stateLimits, m *events.Metrics, denied func()) (*sharedState, error) {
	value, _, err := states.LoadOrNew(store.PoolKey(), func() (caddy.Destructor, error) {
		observer := new(events.SharedObserver)
		state, err := state.New(state.Config{
			Store:           store.NewStore(onStoreCall(m, observer)),
			Observer:        observer,
			Clock:           time.Now,
			CacheBytes:      limits.cacheBytes,
			DenylistEntries: limits.denylistEntries,
			Denied:          denied,
		})
		if err != nil {
			return nil, fmt.Errorf("making state: %w", err)
		}
		return &sharedState{state: state, observer: observer, requests: handler.NewLimits(state.Hashes), limits: limits}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*sharedState), nil
}

// storeCall hears of a call of a store when it ends.
type storeCall = func(ctx context.Context, op string, took time.Duration, err error)

// onStoreCall measures the calls of a store, adds them to the traces that they belong
// to, and tells of panics that it has caught.
func onStoreCall(m *events.Metrics, observer oauth.Observer) storeCall {
	return func(ctx context.Context, op string, took time.Duration, err error) {
		m.Stored(op, took, err)
		spans.Called(ctx, op, took, err)
		if _, panicked := errors.AsType[*background.PanicError](err); panicked {
			observer.Happened(context.Background(), oauth.Event{
				Kind: oauth.EventBackgroundRecovered, Outcome: oauth.OutcomeStore, Cause: fmt.Errorf("calling the store, %s: %w", op, err),
			})
		}
	}
}

// Destruct closes the store when the last configuration is gone.
func (s *sharedState) Destruct() error { return s.state.Close() }

// enter makes c the newest configuration. With an error nothing has changed.
func (s *sharedState) enter(ctx context.Context, c *configuration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observer.Enter(c.observer)
	if err := c.apply(ctx, s.state); err != nil {
		s.observer.Leave(c.observer)
		if len(s.live) > 0 {
			err = errors.Join(err, s.live[len(s.live)-1].store.Apply(ctx, s.state.Store))
		}
		return err
	}
	s.live = append(s.live, c)
	return nil
}

// apply brings shared state in line with a configuration.
func (c *configuration) apply(ctx context.Context, state *state.State) error {
	if err := c.store.Apply(ctx, state.Store); err != nil {
		return err
	}
	return state.Configure(ctx, c.settings)
}

// leave takes a configuration back.
func (s *sharedState) leave(ctx context.Context, c *configuration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.live, c)
	if i < 0 {
		return nil
	}
	s.observer.Leave(c.observer)
	newest := i == len(s.live)-1
	s.live = slices.Delete(s.live, i, i+1)
	if !newest {
		return nil
	}
	return s.restore(ctx)
}

// restore applies the settings of the newest configuration that is left.
func (s *sharedState) restore(ctx context.Context) error {
	if len(s.live) == 0 {
		return nil
	}
	c := s.live[len(s.live)-1]
	if err := c.apply(ctx, s.state); err != nil {
		return fmt.Errorf("restoring the settings of the configuration before: %w", err)
	}
	return nil
}

// newest returns the issuer of the newest configuration, nil where none is left.
func (s *sharedState) newest() *tokens.Issuer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.live) == 0 {
		return nil
	}
	return s.live[len(s.live)-1].issuer
}

// protect notes what a configuration protects, and returns what the one before it
// did, nil for none.
func (s *sharedState) protect(c *configuration, p *protection) (before *protection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.live, c); i > 0 {
		before = s.live[i-1].protection
	}
	c.protection = p
	return before
}
