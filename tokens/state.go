package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// State is what every configuration over one store shares and what survives a
// reload: the store, the key ring, the denylist and the verified tokens.
type State struct {
	Store    Store
	Keys     *KeyRing
	Denylist *Denylist
	Cache    *Cache

	grants   *grantCache
	settings atomic.Pointer[Settings]
	observer Observer
	opened   atomic.Bool
	opening  sync.Mutex
	denyFor  atomic.Int64 // nanoseconds
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Settings are the parts of a configuration that act on the shared State. The
// latest configuration wins.
type Settings struct {
	Secrets       *Secrets
	Keys          KeySettings
	TokenLifetime time.Duration // the longest access token lifetime of this configuration
	MaxLag        time.Duration // how old a verdict of the denylist may be; 0 for DefaultMaxLag
	AllowStale    time.Duration // how old while the store does not answer; 0 denies
}

// StateConfig says what a State is made of. Unlike Settings it stays as it is
// while the State lives.
type StateConfig struct {
	Store           Store
	Observer        Observer
	Clock           func() time.Time
	CacheBytes      int64 // bound of the verified tokens
	DenylistEntries int64 // bound of the verdicts
}

// NewState makes the shared state over a store that is not open yet. It does no I/O.
func NewState(c StateConfig) (*State, error) {
	cache, err := NewCache(c.CacheBytes)
	if err != nil {
		return nil, err
	}
	denylist, err := newDenylist(c.Store, c.DenylistEntries, c.Observer, c.Clock)
	if err != nil {
		return nil, err
	}
	return &State{
		Store:    c.Store,
		Keys:     NewKeyRing(c.Store, c.Observer, c.Clock),
		Denylist: denylist,
		Cache:    cache,
		grants:   newGrantCache(c.Store),
		observer: c.Observer,
	}, nil
}

// Configure applies settings. It may be called again, before or after Open.
// Settings that the store refuses change nothing: requests under way, and those
// of the configuration before, go on under what was.
func (s *State) Configure(ctx context.Context, set Settings) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if set.MaxLag == 0 {
		set.MaxLag = DefaultMaxLag
	}
	if s.opened.Load() {
		if err := s.load(ctx, &set); err != nil {
			return err
		}
	}
	s.settings.Store(&set)
	s.Denylist.limits.Store(&denylistLimits{maxLag: set.MaxLag, allowStale: set.AllowStale})
	return nil
}

// Open opens the store and loads the keys, once; every request calls it, and
// after the first success it costs one atomic read. An error that an operator
// must mend (see Store.Open) is returned to each caller, and the next call tries again.
func (s *State) Open(ctx context.Context) error {
	if s.opened.Load() {
		return nil
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.opened.Load() {
		return nil
	}
	if err := s.load(ctx, s.settings.Load()); err != nil {
		return err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = cancel
	s.running.Go(func() { s.supervise(background, "denylist", s.Denylist.run) })
	s.running.Go(func() { s.Keys.Run(background) }) // which recovers by itself
	s.opened.Store(true)
	return nil
}

// load brings the store and the key ring in line with the settings.
func (s *State) load(ctx context.Context, set *Settings) error {
	if set == nil || set.Secrets == nil {
		return errors.New("opening state: no secret is configured")
	}
	res, err := s.Store.Open(ctx, OpenRequest{Secrets: set.Secrets.IDs(), TokenLifetime: set.TokenLifetime})
	if err != nil {
		return err
	}
	denyFor := res.TokenLifetime + DefaultLeeway
	keys := set.Keys
	keys.Secrets = set.Secrets
	keys.KeepFor = denyFor
	before := s.Keys.settings.Load()
	s.Keys.Configure(keys)
	if err := s.Keys.Load(ctx); err != nil {
		s.Keys.settings.Store(before)
		return err
	}
	s.denyFor.Store(int64(denyFor))
	return nil
}

// supervise runs background work until it returns, and again after a panic: a
// panic in a goroutine of ours would end the whole of Caddy.
func (s *State) supervise(ctx context.Context, name string, work func(context.Context)) {
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, time.Minute) {
		if done := s.guarded(ctx, name, work); done {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (s *State) guarded(ctx context.Context, name string, work func(context.Context)) (done bool) {
	defer func() {
		if r := recover(); r != nil {
			s.observer.Happened(ctx, Event{
				Kind: EventBackgroundRecovered, Outcome: name, Cause: fmt.Errorf("panic in background work: %v", r),
			})
		}
	}()
	work(ctx)
	return true
}

// Close stops the background work and closes the store.
func (s *State) Close() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.stop != nil {
		s.stop()
		s.running.Wait()
	}
	s.Denylist.cache.Close()
	s.Cache.Close()
	return s.Store.Close()
}

// secrets returns the configured secrets.
func (s *State) secrets() *Secrets { return s.settings.Load().Secrets }

// DenyFor returns how long a denylist entry must live: as long as the longest
// access token ever issued over this store, and the clocks' leeway.
func (s *State) DenyFor() time.Duration { return time.Duration(s.denyFor.Load()) }
