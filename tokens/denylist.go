package tokens

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"golang.org/x/sync/singleflight"
)

// Denylist answers whether a verified access token has been denied. The store
// is the authority; ristretto holds what it said about a user for at most
// MaxLag. A verdict that is not in the cache is asked for, never assumed.
type Denylist struct {
	store    Denials
	observer Observer
	clock    func() time.Time
	cache    *ristretto.Cache[uint64, *verdict]
	epochs   [1024]atomic.Uint64
	limits   atomic.Pointer[denylistLimits]
	clients  atomic.Pointer[clientWatermarks]
	loads    singleflight.Group // of the watermarks
	renewals chan *verdict
	asked    atomic.Uint64
}

// Asked returns how many checks had to ask the store since the process began.
func (d *Denylist) Asked() uint64 { return d.asked.Load() }

// Lag returns the age of the client watermarks, which the background loads four
// times in MaxLag: more than MaxLag means that the store does not answer. It is
// zero before the first load.
func (d *Denylist) Lag() time.Duration {
	held := d.clients.Load()
	if held.before == nil {
		return 0
	}
	return d.clock().Sub(held.asked)
}

// denylistLimits are the ages up to which a verdict is believed.
type denylistLimits struct {
	maxLag     time.Duration // while the store answers
	allowStale time.Duration // while it does not; 0 denies
}

// verdict is what the store said about one user. It is believed while the
// user's epoch is still the one from before the question: a revocation raises
// the epoch after it is stored, so an answer from before cannot outlive it.
type verdict struct {
	user     UserTag
	denials  UserDenials
	epoch    uint64
	asked    time.Time
	renewing atomic.Bool
}

// clientWatermarks are all "begun before" times of clients. They are few.
type clientWatermarks struct {
	before map[ClientTag]time.Time
	asked  time.Time
}

// DefaultMaxLag is how old a verdict may be where nothing else is configured.
const DefaultMaxLag = 10 * time.Second

// renewalBatch is how many verdicts one background question asks for.
const renewalBatch = 256

// newDenylist makes a denylist that holds up to entries verdicts.
func newDenylist(store Denials, entries int64, observer Observer, clock func() time.Time) (*Denylist, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *verdict]{
		NumCounters:        10 * entries,
		MaxCost:            entries,
		BufferItems:        64,
		IgnoreInternalCost: true, // cost is a count of entries
	})
	if err != nil {
		return nil, fmt.Errorf("making denylist cache: %w", err)
	}
	d := &Denylist{
		store:    store,
		observer: observer,
		clock:    clock,
		cache:    cache,
		renewals: make(chan *verdict, 4*renewalBatch),
	}
	d.limits.Store(&denylistLimits{maxLag: DefaultMaxLag})
	d.clients.Store(&clientWatermarks{})
	return d, nil
}

var errDenied = badToken(ReasonDenied)

// Check returns nil for a token that is not denied, InvalidToken for one that
// is, and TemporarilyUnavailable when that cannot be known.
func (d *Denylist) Check(ctx context.Context, c *Claims) error {
	limits := d.limits.Load()
	now := d.clock()
	watermark, err := d.watermark(ctx, c.Client, now, limits)
	if err != nil {
		return err
	}
	if !c.IssuedAt.After(watermark) {
		return errDenied
	}
	v, err := d.verdict(ctx, c.User, now, limits)
	if err != nil {
		return err
	}
	if v.denies(c) {
		return errDenied
	}
	return nil
}

// CheckStore is Check without the cache, for introspection.
func (d *Denylist) CheckStore(ctx context.Context, c *Claims) error {
	if err := d.ClientChanged(ctx); err != nil {
		return unavailable(err)
	}
	if !c.IssuedAt.After(d.clients.Load().before[c.Client]) {
		return errDenied
	}
	v, err := d.ask(ctx, c.User, d.clock())
	if err != nil {
		return unavailable(err)
	}
	if v.denies(c) {
		return errDenied
	}
	return nil
}

// verdict returns what is known about a user and young enough to be believed.
func (d *Denylist) verdict(ctx context.Context, user UserTag, now time.Time, limits *denylistLimits) (*verdict, error) {
	held, ok := d.cache.Get(userKey(user))
	if ok && held.user == user && held.epoch == d.epoch(user).Load() {
		switch age := now.Sub(held.asked); {
		case age <= limits.maxLag/2:
			return held, nil
		case age <= limits.maxLag:
			d.renew(held)
			return held, nil
		}
	} else {
		held = nil
	}
	v, err := d.ask(ctx, user, now)
	switch {
	case err == nil:
		return v, nil
	case held != nil && now.Sub(held.asked) <= limits.allowStale:
		return held, nil
	}
	return nil, unavailable(err)
}

// ask asks the store about one user and keeps the answer.
func (d *Denylist) ask(ctx context.Context, user UserTag, now time.Time) (*verdict, error) {
	d.asked.Add(1)
	epoch := d.epoch(user).Load()
	answers, err := d.store.Denials(ctx, []UserTag{user})
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, fmt.Errorf("reading denylist: %d answers for one user", len(answers))
	}
	return d.keep(user, answers[0], epoch, now), nil
}

// keep holds an answer, unless one to a later question is held already.
func (d *Denylist) keep(user UserTag, denials UserDenials, epoch uint64, asked time.Time) *verdict {
	v := &verdict{user: user, denials: denials, epoch: epoch, asked: asked}
	if held, ok := d.cache.Get(userKey(user)); !ok || held.user != user || !held.asked.After(asked) || held.epoch != epoch {
		d.cache.Set(userKey(user), v, 1)
	}
	return v
}

// Changed drops what is held about a user. It is called after every store call
// that may have denied something, and before its answer goes out.
func (d *Denylist) Changed(user UserTag) { d.epoch(user).Add(1) }

// ClientChanged loads the watermarks again after one was set. A load that was
// under way before then does not count.
func (d *Denylist) ClientChanged(ctx context.Context) error {
	d.loads.Forget(loadKey)
	return d.loadClients(ctx)
}

// ClientWatermark returns the time at or before which everything of a client
// is ended; zero for never.
func (d *Denylist) ClientWatermark(ctx context.Context, client ClientTag) (time.Time, error) {
	return d.watermark(ctx, client, d.clock(), d.limits.Load())
}

func (d *Denylist) watermark(ctx context.Context, client ClientTag, now time.Time, limits *denylistLimits) (time.Time, error) {
	held := d.clients.Load()
	age := now.Sub(held.asked)
	if age <= limits.maxLag {
		return held.before[client], nil
	}
	// The background loads them four times in MaxLag: the store is in trouble,
	// or nothing was asked yet.
	if held.before != nil && age <= limits.allowStale {
		d.loads.DoChan(loadKey, d.readClients)
		return held.before[client], nil
	}
	if err := d.loadClients(ctx); err != nil {
		return time.Time{}, unavailable(err)
	}
	return d.clients.Load().before[client], nil
}

const loadKey = "clients"

// loadClients reads all client watermarks. Callers that come while a load is
// under way share its outcome, failure included: a store in trouble must not
// become a queue.
func (d *Denylist) loadClients(ctx context.Context) error {
	select {
	case res := <-d.loads.DoChan(loadKey, d.readClients):
		return res.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readClients is one load. It belongs to no single request, so it has a limit of its own.
func (d *Denylist) readClients() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.limits.Load().maxLag)
	defer cancel()
	asked := d.clock()
	before, err := d.store.ClientWatermarks(ctx)
	if err != nil {
		return nil, err
	}
	if before == nil {
		before = map[ClientTag]time.Time{}
	}
	next := &clientWatermarks{before: before, asked: asked}
	for held := d.clients.Load(); !held.asked.After(asked); held = d.clients.Load() {
		if d.clients.CompareAndSwap(held, next) {
			break
		}
	}
	return nil, nil
}

func (d *Denylist) epoch(user UserTag) *atomic.Uint64 {
	return &d.epochs[binary.BigEndian.Uint16(user[8:])%uint16(len(d.epochs))]
}

// userKey is the cache key of a user: 64 bits of a hash. The verdict holds the
// whole tag, so users that share a key cannot share a verdict.
func userKey(user UserTag) uint64 { return binary.BigEndian.Uint64(user[:]) }

// denies reports whether the token is among the user's denials.
func (v *verdict) denies(c *Claims) bool {
	if !v.denials.Before.IsZero() && !c.IssuedAt.After(v.denials.Before) {
		return true
	}
	for i := range v.denials.Entries {
		switch e := &v.denials.Entries[i]; e.Kind {
		case DenyToken:
			if c.HasTokenID && TokenID(e.ID) == c.TokenID {
				return true
			}
		case DenyFamily:
			if c.HasFamily && FamilyID(e.ID) == c.Family {
				return true
			}
		case DenySession:
			if c.HasSession && SessionID(e.ID[:8]) == c.Session {
				return true
			}
		default:
			return true // an entry of a newer version denies everything of the user
		}
	}
	return false
}
