// Package jwks keeps the signing keys of other issuers fresh in the background. It
// does not know how they are fetched (package fetch does it over HTTP), nor what
// is verified with them.
//
// Begin reading at Remote. See RFC 7517 §5.
package jwks

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// The times of Remote.
const (
	// maxStale is how long a key set is trusted after its issuer last showed it.
	maxStale = 24 * time.Hour
	// KeyFetchTimeout is how long one fetch may take.
	KeyFetchTimeout = 5 * time.Second
	// unknownKeyPause is the least time between two fetches that tokens with
	// unknown keys bring about.
	unknownKeyPause = 30 * time.Second
	// outagePause is the least time between two fetches that tokens bring about while
	// there are no keys at all: an outage ends for them when the issuer is back.
	outagePause = 2 * time.Second
	// maxFirstWait is how long a request waits for the first fetch of a process.
	maxFirstWait = 2 * time.Second

	defaultKeyAge = 10 * time.Minute // where the issuer does not say how long its set may be kept
	minKeyAge     = time.Minute      // bounds of what it says
	maxKeyAge     = time.Hour
)

// Fetch gets a JWK set document and how long its server says that it may be
// kept, negative where it says nothing. It obeys ctx and reads no more than
// jose.MaxSetBytes and one byte.
type Fetch func(ctx context.Context) (document []byte, maxAge time.Duration, err error)

// RemoteConfig says what a Remote is made of.
type RemoteConfig struct {
	Issuer string // for events
	Fetch  Fetch
	// RSA is the algorithm of an RSA key that names none; "" is RS256.
	RSA jose.Algorithm
	// Kept is where the keys outlast a restart; nil for nowhere.
	Kept     Kept
	Observer oauth.Observer   // nil observes nothing
	Clock    func() time.Time // nil is time.Now
}

// Remote keeps the keys of another issuer. It fetches them in the background and
// holds the last good set: no request ever waits for a fetch but the first.
// Safe for concurrent use.
type Remote struct {
	cfg     RemoteConfig
	held    atomic.Pointer[heldKeys]
	wanted  atomic.Bool   // somebody has asked since the last fetch began
	wake    chan struct{} // says so to run
	purged  chan struct{} // says to run that Purge was called
	first   chan struct{} // closed when the first fetch has ended
	tried   sync.Once     // closes it
	keeping keeping
	mu      sync.Mutex
	ended   bool
	purges  int
	cancel  context.CancelFunc // of the background work, once it has started
	running sync.WaitGroup
}

// NewRemote makes a Remote that holds no keys yet. It does no I/O.
func NewRemote(cfg RemoteConfig) *Remote {
	if cfg.Observer == nil {
		cfg.Observer = oauth.NopObserver{}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.RSA == "" {
		cfg.RSA = jose.RS256
	}
	return &Remote{cfg: cfg, wake: make(chan struct{}, 1), purged: make(chan struct{}, 1), first: make(chan struct{})}
}

// Start begins to fetch, if that has not begun, and does not wait. After Close it does nothing.
func (k *Remote) Start() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended || k.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.running.Go(background.Safely(k.recovered, func() { background.Keep(ctx, k.recovered, k.run) }))
}

// recovered reports a panic that was caught while keys were fetched.
func (k *Remote) recovered(err error) {
	k.cfg.Observer.Happened(context.Background(), oauth.Event{Kind: oauth.EventBackgroundRecovered, Outcome: oauth.OutcomeIssuerKeys, Issuer: k.cfg.Issuer, Cause: err})
}

// Close ends the background work and waits for it. What is held goes on
// verifying until it is too old: requests may outlive their configuration.
func (k *Remote) Close() {
	k.mu.Lock()
	k.ended = true
	cancel := k.cancel
	k.mu.Unlock()
	k.tried.Do(func() { close(k.first) })
	if cancel != nil {
		cancel()
		k.running.Wait()
	}
}

// Issuer returns the issuer whose keys these are.
func (k *Remote) Issuer() string { return k.cfg.Issuer }

// LastSeen returns when the issuer last showed the set that is held; zero for never.
func (k *Remote) LastSeen() time.Time {
	if held := k.held.Load(); held != nil {
		return held.at
	}
	return time.Time{}
}

// Purge forgets the keys and fetches them again at once: the issuer has lost
// one, and nobody may trust it for as long as the set may be kept. Until the
// fetch has succeeded no token of the issuer passes.
func (k *Remote) Purge() {
	k.mu.Lock()
	k.purges++ // what a fetch under way brings is from before
	k.held.Store(nil)
	k.mu.Unlock()
	k.forget()
	select {
	case k.purged <- struct{}{}:
	default: // a fetch that has not begun yet will do for both
	}
}

// Await waits for the end of the first fetch, a bounded moment, and reports whether
// there are keys then. Whoever comes later does not wait: nobody knows when
// an issuer that is away comes back.
func (k *Remote) Await(ctx context.Context, now func() time.Time) bool {
	k.Start()
	limit := time.NewTimer(maxFirstWait)
	defer limit.Stop()
	select {
	case <-k.first:
	case <-limit.C:
	case <-ctx.Done():
	}
	return k.Trusted(now()) != nil
}

// Missing says that a token came whose signature no key of the set has made. It
// never waits: the token is refused, and a fetch follows, unknownKeyPause after
// the one before, or outagePause where there are no keys.
func (k *Remote) Missing() {
	if k.wanted.CompareAndSwap(false, true) {
		k.wake <- struct{}{} // there is room: only who sets the flag sends, once per fetch
	}
}

// run fetches for as long as ctx lives. One fetch is in flight at a time.
func (k *Remote) run(ctx context.Context) {
	k.restore(ctx)
	failures := 0
	for {
		began := time.Now()
		k.forgetWanted()
		next, err := k.Refresh(ctx)
		k.tried.Do(func() { close(k.first) })
		if err != nil {
			next = retryKeys(failures, k.haveKeys())
			failures++
		} else {
			failures = 0
		}
		if !k.wait(ctx, began, next) {
			return
		}
	}
}

// forgetWanted answers who has asked so far with the fetch that now begins.
func (k *Remote) forgetWanted() {
	select {
	case <-k.wake:
		k.wanted.Store(false)
	default:
	}
}

// wait waits for the next fetch: until it is due, or sooner when a token came
// with an unknown key or the keys were purged. It returns false at the end of ctx.
func (k *Remote) wait(ctx context.Context, began time.Time, next time.Duration) bool {
	due := time.NewTimer(next)
	defer due.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-due.C:
		return true
	case <-k.purged:
		return true
	case <-k.wake:
	}
	// From here on nobody wakes us: the flag is still set. It is cleared as the
	// fetch begins.
	defer k.wanted.Store(false)
	least := unknownKeyPause
	if !k.haveKeys() {
		least = outagePause
	}
	pause := time.NewTimer(least - time.Since(began))
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-due.C:
	case <-k.purged:
	case <-pause.C:
	}
	return true
}

func (k *Remote) haveKeys() bool { return k.Trusted(k.cfg.Clock()) != nil }

// retryKeys is the pause after a failure that nobody cuts short. Without any keys
// every token is refused, so the first tries follow quickly.
func retryKeys(failures int, held bool) time.Duration {
	first, last := 2*time.Second, time.Minute
	if held {
		first, last = unknownKeyPause, 5*time.Minute
	}
	return min(first<<min(failures, 10), last)
}

// Refresh fetches once and returns how long what came may be kept.
func (k *Remote) Refresh(ctx context.Context) (next time.Duration, err error) {
	purges := k.purgesNow()
	limited, cancel := context.WithTimeout(ctx, KeyFetchTimeout)
	defer cancel()
	document, maxAge, err := k.cfg.Fetch(limited)
	if ctx.Err() != nil {
		return 0, ctx.Err() // nobody wants to know any more
	}
	if err != nil {
		k.failed(ctx, oauth.KeysUnreachable, err)
		return 0, err
	}
	if err := k.accept(ctx, document, purges); err != nil {
		k.failed(ctx, oauth.KeysRefused, err)
		return 0, err
	}
	if maxAge < 0 {
		maxAge = defaultKeyAge
	}
	return min(max(maxAge, minKeyAge), maxKeyAge), nil
}

// failed reports a fetch that brought nothing, and whether the keys before it
// are still trusted.
func (k *Remote) failed(ctx context.Context, outcome oauth.Outcome, err error) {
	k.tell(ctx, outcome, err)
	if k.held.Load() != nil && k.Trusted(k.cfg.Clock()) == nil {
		k.tell(ctx, oauth.KeysStale, err)
	}
}

func (k *Remote) tell(ctx context.Context, outcome oauth.Outcome, cause error) {
	k.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventIssuerKeys, Outcome: outcome, Issuer: k.cfg.Issuer, Cause: cause})
}
