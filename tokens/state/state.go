// Package state holds what survives a reload of the configuration: the store, the
// signing keys, the denylist, the cache of verified tokens, and what one process
// owes the others (its heartbeat, answers that were never given). It knows
// no grants: package tokens puts an Issuer over it.
//
// Begin reading at State.
package state

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// State is what every configuration over one store shares and what survives a
// reload: the store, the key ring, the denylist, the verified tokens and the
// queue of slow hashes.
type State struct {
	Store         storage.Store
	Keys          *keyring.Ring
	Denylist      *denylist.Denylist
	Cache         *verify.Cache
	Hashes        *clients.HashQueue
	History       *history.Recorder // of families
	ClientSecrets *clients.SecretMemory
	Documents     *clientdoc.Book // of clients that publish their metadata

	Grants   *Grants
	ends     recentEnds
	node     storage.NodeMark
	Owed     *OwedAnswers
	Attempts CodeAttempts
	settings atomic.Pointer[Settings]
	observer oauth.Observer
	clock    func() time.Time
	opened   atomic.Bool
	lost     atomic.Pointer[error] // why the store, which was open, can't be used any more; nil for no reason
	bornAt   atomic.Int64          // milliseconds since 1970; 0 while not known
	health   atomic.Pointer[Health]
	skew     atomic.Int64 // nanoseconds that our clock is ahead of the store's; 0 for little
	tries    singleflight.Group
	told     chan struct{} // says that there are logouts to send
	unheard  chan struct{} // a place for each end of which the store is told again
	closing  chan struct{} // closed by Close
	opening  sync.Mutex
	closed   bool
	denyFor  atomic.Int64 // nanoseconds
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Settings are the parts of a configuration that act on the shared State. The
// latest configuration wins.
type Settings struct {
	Secrets       *secrets.Secrets
	Issuers       []string // as storage.OpenRequest.Issuers
	Keys          keyring.Settings
	TokenLifetime time.Duration // the longest access token lifetime of this configuration
	MaxLag        time.Duration // how old a verdict of the denylist may be; 0 for DefaultMaxLag
	AllowStale    time.Duration // how old while the store does not answer; 0 denies
	StoreExpected bool          // as storage.OpenRequest.Expected
	TellsClients  bool          // some client is to be told of sign-outs (storage.Outbox)
}

// Config says what a State is made of. Unlike Settings it stays as it is
// while the State lives.
type Config struct {
	Store           storage.Store
	Observer        oauth.Observer
	Clock           func() time.Time // nil is time.Now
	CacheBytes      int64            // bound of the verified tokens
	DenylistEntries int64            // bound of the verdicts
	Denied          func()           // as denylist.Config.Heard
}

// New makes the shared state over a store that is not open yet. It does no I/O.
func New(c Config) (*State, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	cache, err := verify.NewCache(c.CacheBytes)
	if err != nil {
		return nil, err
	}
	keys := keyring.New(c.Store, c.Observer, c.Clock)
	denylist, err := denylist.New(denylist.Config{
		Store: c.Store, Entries: c.DenylistEntries, Observer: c.Observer, Clock: c.Clock, KeysChanged: keys.Look, Heard: c.Denied,
	})
	if err != nil {
		return nil, err
	}
	node, err := storage.NewNodeMark()
	if err != nil {
		return nil, err
	}
	hashes := clients.NewHashQueue(0)
	s := &State{
		Store:         c.Store,
		Keys:          keys,
		Denylist:      denylist,
		Cache:         cache,
		Hashes:        hashes,
		History:       history.NewRecorder(c.Store, c.Clock),
		ClientSecrets: clients.NewSecretMemory(hashes),
		Grants:        newGrantCache(c.Store, c.Clock),
		node:          node,
		told:          make(chan struct{}, 1),
		unheard:       make(chan struct{}, maxUnheard),
		closing:       make(chan struct{}),
		Owed:          newOwedAnswers(c.Store),
		observer:      c.Observer,
		clock:         c.Clock,
	}
	s.Documents = clientdoc.NewBook(clientdoc.BookConfig{Store: c.Store, Observer: c.Observer, Clock: s.StoreNow})
	s.health.Store(&Health{Trouble: oauth.TroubleStore, Cause: errNotOpened, Since: c.Clock()})
	return s, nil
}

// Configure applies settings. It may be called again, before or after Open.
// Settings that the store refuses change nothing: requests under way, and those
// of the configuration before, go on under what was.
func (s *State) Configure(ctx context.Context, set Settings) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if set.MaxLag == 0 {
		set.MaxLag = storage.DefaultMaxLag
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
	s.Denylist.Configure(set.MaxLag, set.AllowStale)
	return nil
}

// Open opens the store and loads the keys, once; every request calls it, and
// after the first success it costs one atomic read. Callers that come while one
// try is under way share its outcome, and the next call tries again. An error
// is what an operator must fix (see storage.Store.Open).
func (s *State) Open(ctx context.Context) error {
	if s.opened.Load() {
		if lost := s.lost.Load(); lost != nil {
			return *lost
		}
		return nil
	}
	try := s.tries.DoChan("open", background.Shared(s.recovered(oauth.OutcomeOpen), func() (any, error) { return nil, s.open(context.WithoutCancel(ctx)) }))
	select {
	case res := <-try:
		return res.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// OpenUnder reports whether the store is open, and was opened under one of the secrets.
func (s *State) OpenUnder(secrets *secrets.Secrets) bool {
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
	_, _ = s.Store.Beat(ctx, storage.BeatRequest{Node: s.node, Settled: true}) // before it rotates anything
	watch := &heartbeat{state: s}
	living, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.begin(living, oauth.OutcomeDenylist, s.Denylist.Run)
	s.begin(living, oauth.OutcomeFeed, s.Denylist.Follow)
	s.begin(living, oauth.OutcomeHistory, s.History.Run)
	s.begin(living, oauth.OutcomeHeartbeat, watch.run)
	s.begin(living, oauth.OutcomeUnanswered, s.Owed.run)
	s.begin(living, oauth.OutcomeSigningKeys, s.Keys.Run)
	s.opened.Store(true)
	return nil
}

// load brings the store and the key ring in line with the settings.
func (s *State) load(ctx context.Context, set *Settings) error {
	if set == nil || set.Secrets == nil {
		return errors.New("opening state: no secret is configured")
	}
	res, err := s.Store.Open(ctx, storage.OpenRequest{Secrets: set.Secrets.IDs(), Issuers: set.Issuers, TokenLifetime: set.TokenLifetime, Expected: set.StoreExpected && !s.opened.Load()})
	if err != nil {
		return err
	}
	denyFor := res.TokenLifetime + oauth.DefaultLeeway
	keys := set.Keys
	keys.Secrets = set.Secrets
	keys.KeepFor = max(keys.KeepFor, denyFor) // ID tokens may live longer
	keys.LookEvery = set.MaxLag / 2
	before := s.Keys.Configure(keys)
	if err := s.Keys.Load(ctx); err != nil {
		s.Keys.Configure(before)
		return errors.Join(err, s.takeBack(ctx, res))
	}
	s.correct(-s.Keys.Ahead())
	s.denyFor.Store(int64(max(denyFor, storage.CodesLive)))
	s.adoptBirth(ctx, res.Born)
	if res.New && set.StoreExpected && !s.opened.Load() {
		s.observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreNew, Outcome: oauth.StoreBegun, Cause: errBegun})
	}
	return nil
}

// takeBack makes the store as it was before an opening under secrets that do
// not open its keys: under those it had, it must open again.
func (s *State) takeBack(ctx context.Context, was storage.OpenResult) error {
	if len(was.Secrets) == 0 {
		return nil
	}
	_, err := s.Store.Open(ctx, storage.OpenRequest{Secrets: was.Secrets, Issuers: was.Issuers})
	return err
}

// begin runs background work until it returns or ctx ends, and again after a panic.
func (s *State) begin(ctx context.Context, name oauth.Outcome, work func(context.Context)) {
	report := s.recovered(name)
	s.running.Go(background.Safely(report, func() { background.Keep(ctx, report, work) }))
}

// recovered reports the panics of some work.
func (s *State) recovered(work oauth.Outcome) background.Report {
	return oauth.ReportRecovered(s.observer, work)
}

// Close stops the background work and closes the store.
func (s *State) Close() error {
	s.opening.Lock()
	if !s.closed {
		close(s.closing)
	}
	s.closed = true
	stop := s.stop
	s.opening.Unlock()
	if stop != nil {
		stop()
		s.running.Wait() // not under the lock, which the heartbeat may want
		s.leave()
	}
	s.Documents.Close()
	s.Denylist.Close()
	s.Cache.Close()
	return s.Store.Close()
}

// leave takes leave of the store. A node that still owes answers stays in it, as one that is silent.
func (s *State) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	if s.Owed.settleAll(ctx) {
		_, _ = s.Store.Beat(ctx, storage.BeatRequest{Node: s.node, Leaving: true})
	}
}

// StoreNow returns the store's time, as exactly as the last beat has told it.
func (s *State) StoreNow() time.Time {
	return s.clock().Add(-s.health.Load().ClockSkew).Truncate(time.Millisecond)
}

// Secrets returns the configured secrets, nil before Configure.
func (s *State) Secrets() *secrets.Secrets {
	if set := s.settings.Load(); set != nil {
		return set.Secrets
	}
	return nil
}

// DenyFor returns how long a denylist entry must live: as long as the longest
// access token ever issued over this store, and the clocks' leeway; and longer than
// any code, of which something may still begin in what was ended.
func (s *State) DenyFor() time.Duration { return time.Duration(s.denyFor.Load()) }
