package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// State is what every configuration over one store shares and what survives a
// reload: the store, the key ring, the denylist and the verified tokens.
type State struct {
	Store    Store
	Keys     *KeyRing
	Denylist *Denylist
	Cache    *Cache

	grants     *grantCache
	history    *historian
	secretWork *secretWork
	node       NodeMark
	owed       *owedAnswers
	attempts   keptAttempts
	settings   atomic.Pointer[Settings]
	observer   Observer
	clock      func() time.Time
	opened     atomic.Bool
	lost       atomic.Pointer[error] // why the store, which was open, can't be used any more; nil for no reason
	bornAt     atomic.Int64          // milliseconds since 1970; 0 while not known
	health     atomic.Pointer[Health]
	tries      singleflight.Group
	opening    sync.Mutex
	closed     bool
	denyFor    atomic.Int64 // nanoseconds
	stop       context.CancelFunc
	running    sync.WaitGroup
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
	Clock           func() time.Time // nil is time.Now
	CacheBytes      int64            // bound of the verified tokens
	DenylistEntries int64            // bound of the verdicts
}

// NewState makes the shared state over a store that is not open yet. It does no I/O.
func NewState(c StateConfig) (*State, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	cache, err := NewCache(c.CacheBytes)
	if err != nil {
		return nil, err
	}
	denylist, err := newDenylist(c.Store, c.DenylistEntries, c.Observer, c.Clock)
	if err != nil {
		return nil, err
	}
	node, err := newNodeMark()
	if err != nil {
		return nil, err
	}
	keys := NewKeyRing(c.Store, c.Observer, c.Clock)
	denylist.keysChanged = keys.look
	s := &State{
		Store:      c.Store,
		Keys:       keys,
		Denylist:   denylist,
		Cache:      cache,
		grants:     newGrantCache(c.Store),
		history:    newHistorian(c.Store),
		secretWork: newSecretWork(),
		node:       node,
		owed:       newOwedAnswers(c.Store),
		observer:   c.Observer,
		clock:      c.Clock,
	}
	s.health.Store(&Health{Trouble: TroubleStore, Cause: errNotOpened, Since: c.Clock()})
	return s, nil
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
		// What the present settings have still to seal again must not be lost
		// with a secret that the next ones lack. If it cannot be done, load tells.
		_ = s.Keys.Tick(ctx)
		if err := s.load(ctx, &set); err != nil {
			return err
		}
	}
	s.settings.Store(&set)
	s.Denylist.limits.Store(&denylistLimits{maxLag: set.MaxLag, allowStale: set.AllowStale})
	return nil
}

// Open opens the store and loads the keys, once; every request calls it, and
// after the first success it costs one atomic read. Callers that come while one
// try is under way share its outcome, and the next call tries again. An error
// is what an operator must mend (see Store.Open).
func (s *State) Open(ctx context.Context) error {
	if s.opened.Load() {
		if lost := s.lost.Load(); lost != nil {
			return *lost
		}
		return nil
	}
	try := s.tries.DoChan("open", func() (any, error) { return nil, s.open(context.WithoutCancel(ctx)) })
	select {
	case res := <-try:
		return res.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// OpenUnder reports whether the store is open, and was opened under one of the secrets.
func (s *State) OpenUnder(secrets *Secrets) bool {
	set := s.settings.Load()
	return s.opened.Load() && s.lost.Load() == nil && set != nil &&
		slices.ContainsFunc(set.Secrets.IDs(), func(id [16]byte) bool { return slices.Contains(secrets.IDs(), id) })
}

func (s *State) open(ctx context.Context) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	switch {
	case s.opened.Load():
		return nil
	case s.closed:
		return errors.New("opening state: it is closed")
	}
	if err := s.load(ctx, s.settings.Load()); err != nil {
		s.setHealth(ctx, Health{Trouble: troubleOf(err), Cause: err, Checked: s.clock()})
		return err
	}
	s.setHealth(ctx, Health{Checked: s.clock(), Born: s.born()})
	_, _ = s.Store.Beat(ctx, BeatRequest{Node: s.node, Settled: true}) // before it rotates anything
	watch := &heartbeat{state: s}
	background, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.running.Go(func() { s.supervise(background, "denylist", s.Denylist.run) })
	s.running.Go(func() { s.supervise(background, "feed", s.Denylist.follow) })
	s.running.Go(func() { s.supervise(background, "history", s.history.run) })
	s.running.Go(func() { s.supervise(background, "heartbeat", watch.run) })
	s.running.Go(func() { s.supervise(background, "unanswered", s.owed.run) })
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
	keys.KeepFor = max(keys.KeepFor, denyFor) // ID tokens may live longer
	keys.LookEvery = set.MaxLag / 2
	before := s.Keys.settings.Load()
	s.Keys.Configure(keys)
	if err := s.Keys.Load(ctx); err != nil {
		s.Keys.settings.Store(before)
		return errors.Join(err, s.takeBack(ctx, res))
	}
	s.denyFor.Store(int64(denyFor))
	s.adoptBirth(ctx, res.Born)
	return nil
}

// takeBack makes the store as it was before an opening under secrets that do
// not open its keys: under those it had, it must open again.
func (s *State) takeBack(ctx context.Context, was OpenResult) error {
	if len(was.Secrets) == 0 {
		return nil
	}
	_, err := s.Store.Open(ctx, OpenRequest{Secrets: was.Secrets})
	return err
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
	s.closed = true
	stop := s.stop
	s.opening.Unlock()
	if stop != nil {
		stop()
		s.running.Wait() // not under the lock, which the heartbeat may want
		s.leave()
	}
	s.Denylist.cache.Close()
	s.Cache.Close()
	return s.Store.Close()
}

// leave takes leave of the store. A node that still owes answers stays in it, as one that is silent.
func (s *State) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	if s.owed.settleAll(ctx) {
		_, _ = s.Store.Beat(ctx, BeatRequest{Node: s.node, Leaving: true})
	}
}

// storeTime returns the store's time, as far as our clock tells.
func (s *State) storeTime() time.Time {
	return s.clock().Add(-s.health.Load().ClockSkew).Truncate(time.Millisecond)
}

// secrets returns the configured secrets.
func (s *State) secrets() *Secrets { return s.settings.Load().Secrets }

// DenyFor returns how long a denylist entry must live: as long as the longest
// access token ever issued over this store, and the clocks' leeway.
func (s *State) DenyFor() time.Duration { return time.Duration(s.denyFor.Load()) }
