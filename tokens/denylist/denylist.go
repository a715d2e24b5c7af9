// Package denylist answers whether a verified access token has been revoked, and
// how old that answer may be. The store is the authority; the feed and the
// watermarks of clients tell a node what other nodes have revoked. It knows of a
// token only what Token says: verifying it is the work of package verify.
//
// Begin reading at Denylist. See RFC 7009 §2.1.
package denylist

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Denylist answers whether a verified access token has been denied. The store
// is the authority; ristretto holds what it said about a user for at most
// MaxLag. A verdict that is not in the cache is asked for, never assumed.
type Denylist struct {
	store    Store
	observer oauth.Observer
	clock    func() time.Time
	made     time.Time // stamps count from here
	cache    *ristretto.Cache[uint64, *verdict]
	asker    asker
	epochs   [1 << 16]atomic.Uint32 // raised when something of a user was denied, by a slice of the user tags
	flushed  atomic.Uint32          // raised when anything may have been
	limits   atomic.Pointer[denylistLimits]
	clients  atomic.Pointer[clientWatermarks]
	loads    singleflight.Group // of the watermarks
	floor    atomic.Int64       // second before which nothing of ours was issued
	renewals chan *verdict
	// keysChanged hears that other nodes have changed the signing keys.
	keysChanged func()
	heard       func()
	asked       atomic.Uint64
	owed        debts
	feed        feedCounters
}

// Store is what a Denylist needs of a storage.Store.
type Store interface {
	storage.Denials
	storage.Feed
}

// Asked returns about how many users requests had to ask the store since the
// process began.
func (d *Denylist) Asked() uint64 { return d.asked.Load() }

// Entries returns about how many users a verdict is held for.
func (d *Denylist) Entries() int64 { return d.cache.MaxCost() - d.cache.RemainingCost() }

// Lag returns the age of the client watermarks, which the background loads four
// times in MaxLag: more than MaxLag means that the store does not answer. It is
// zero before the first load.
func (d *Denylist) Lag() time.Duration {
	held := d.clients.Load()
	if held.marks == nil {
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
	user     storage.UserTag
	denials  storage.UserDenials
	epoch    moment
	asked    time.Time
	renewing atomic.Bool
}

// moment is a point in time of what is known about a user's denials.
type moment struct{ flushed, slice uint32 }

// clientWatermarks are the "begun before" times of clients, and who is blocked. They are few.
type clientWatermarks struct {
	marks map[storage.ClientTag]storage.ClientMark
	asked time.Time
}

// renewalBatch is how many verdicts one background question asks for.
const renewalBatch = 256

// Config says what a Denylist is made of.
type Config struct {
	Store    Store
	Entries  int64 // how many verdicts are held at most
	Observer oauth.Observer
	Clock    func() time.Time
	// KeysChanged hears that other nodes have changed the signing keys.
	KeysChanged func()
	// Heard hears that something may have been denied: what was found out before is to be asked
	// again. It must not block. Nil hears nothing.
	Heard func()
}

// New makes a denylist that believes a verdict for DefaultMaxLag, and no
// longer while the store does not answer, until Configure. It does no I/O.
func New(c Config) (*Denylist, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *verdict]{
		NumCounters:        10 * c.Entries,
		MaxCost:            c.Entries,
		BufferItems:        64,
		IgnoreInternalCost: true, // cost is a count of entries
	})
	if err != nil {
		return nil, fmt.Errorf("making denylist cache: %w", err)
	}
	d := &Denylist{
		store:       c.Store,
		observer:    c.Observer,
		clock:       c.Clock,
		made:        c.Clock().Add(-stampTick), // so that no stamp is 0
		cache:       cache,
		renewals:    make(chan *verdict, 4*renewalBatch),
		keysChanged: c.KeysChanged,
		heard:       c.Heard,
	}
	if d.heard == nil {
		d.heard = func() {}
	}
	d.asker = asker{denylist: d, open: make(map[storage.UserTag]*inquiry)}
	d.Configure(storage.DefaultMaxLag, 0)
	d.clients.Store(&clientWatermarks{})
	return d, nil
}

// Configure sets how old a verdict may be while the store answers, and how old
// while it does not; 0 denies then.
func (d *Denylist) Configure(maxLag, allowStale time.Duration) {
	d.limits.Store(&denylistLimits{maxLag: maxLag, allowStale: allowStale})
}

// Close frees the cache. Nothing may be asked afterwards.
func (d *Denylist) Close() { d.cache.Close() }

var errDenied = oauth.BadToken(oauth.ReasonDenied)

// Check returns nil for a token that is not denied, InvalidToken for one that
// is, and TemporarilyUnavailable when that cannot be known.
func (d *Denylist) Check(ctx context.Context, t *Token) error {
	limits := d.limits.Load()
	now := d.clock()
	watermark, err := d.watermarkOrStale(ctx, t.Client, now, limits)
	if err != nil {
		return err
	}
	if !t.IssuedAt.After(watermark) {
		return errDenied
	}
	if d.stamped(t, now, limits) {
		return nil
	}
	v, err := d.verdict(ctx, t.User, now, limits)
	if err != nil {
		return err
	}
	if v.denies(t) {
		return errDenied
	}
	if s := d.stamp(v); s != t.stamp.Load() {
		t.stamp.Store(s)
	}
	return nil
}

// CheckStore is Check without the cache, for introspection.
func (d *Denylist) CheckStore(ctx context.Context, t *Token) error {
	if err := d.ClientChanged(ctx); err != nil {
		return oauth.Unavailable(err)
	}
	if !t.IssuedAt.After(d.mark(d.clients.Load(), t.Client)) {
		return errDenied
	}
	v, err := d.asker.ask(ctx, t.User)
	if err != nil {
		return oauth.Unavailable(err)
	}
	if v.denies(t) {
		return errDenied
	}
	return nil
}

// verdict returns what is known about a user and young enough to be believed.
func (d *Denylist) verdict(ctx context.Context, user storage.UserTag, now time.Time, limits *denylistLimits) (*verdict, error) {
	held, ok := d.cache.Get(userKey(user))
	if current := d.epoch(user); !ok || held.user != user || held.epoch.slice != current.slice {
		held = nil
	} else if held.epoch == current { // else it is only good for want of a better one
		switch age := now.Sub(held.asked); {
		case age <= limits.maxLag/2:
			return held, nil
		case age <= limits.maxLag:
			d.renew(held)
			return held, nil
		}
	}
	v, err := d.asker.ask(ctx, user)
	switch {
	case err == nil:
		return v, nil
	case held != nil && now.Sub(held.asked) <= limits.allowStale:
		return held, nil
	}
	return nil, oauth.Unavailable(err)
}

// keep holds an answer, unless something has changed since the question, or an
// answer to a later one is held already.
func (d *Denylist) keep(user storage.UserTag, denials storage.UserDenials, at moment, asked time.Time) *verdict {
	v := &verdict{user: user, denials: denials, epoch: at, asked: asked}
	held, ok := d.cache.Get(userKey(user))
	if !ok || held.user != user {
		held = nil
	}
	switch {
	case at != d.epoch(user):
		return v
	case !held.says(denials):
		// An older answer may be on its way: it must not come after this one,
		// or a token that was refused would pass again until the feed is heard.
		if !d.slice(user).CompareAndSwap(at.slice, at.slice+1) {
			return v
		}
		v.epoch.slice++
	case held != nil && held.epoch == at && held.asked.After(asked):
		return v
	}
	d.cache.Set(userKey(user), v, 1)
	return v
}

// says reports whether a verdict, nil for none, says all that is denied of its user.
func (held *verdict) says(u storage.UserDenials) bool {
	if u.None() {
		return true
	}
	return held != nil && held.denials.Before.Equal(u.Before) && slices.Equal(held.denials.Entries, u.Entries)
}

// Changed drops what this node holds about a user.
func (d *Denylist) Changed(user storage.UserTag) {
	d.slice(user).Add(1)
	d.heard()
}

// ClientChanged loads the watermarks again after one was set. A load that was
// under way before then does not count.
func (d *Denylist) ClientChanged(ctx context.Context) error {
	d.loads.Forget(loadKey)
	defer d.heard()
	return d.loadClients(ctx)
}

const loadKey = "clients"

// loadClients reads all client watermarks. Callers that come while a load is
// under way share its outcome, failure included: a store in trouble must not
// become a queue.
func (d *Denylist) loadClients(ctx context.Context) error {
	select {
	case res := <-d.load():
		return res.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// load begins a load, or joins the one under way.
func (d *Denylist) load() <-chan singleflight.Result {
	return d.loads.DoChan(loadKey, background.Shared(d.recovered, d.readClients))
}

// readClients is one load. It belongs to no single request, so it has a limit of its own.
func (d *Denylist) readClients() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.limits.Load().maxLag)
	defer cancel()
	asked := d.clock()
	marks, err := d.store.ClientWatermarks(ctx)
	if err != nil {
		return nil, err
	}
	if marks == nil {
		marks = map[storage.ClientTag]storage.ClientMark{}
	}
	next := &clientWatermarks{marks: marks, asked: asked}
	for held := d.clients.Load(); !held.asked.After(asked); held = d.clients.Load() {
		if d.clients.CompareAndSwap(held, next) {
			break
		}
	}
	return nil, nil
}

func (d *Denylist) epoch(user storage.UserTag) moment {
	return moment{flushed: d.flushed.Load(), slice: d.slice(user).Load()}
}

func (d *Denylist) slice(user storage.UserTag) *atomic.Uint32 {
	return &d.epochs[binary.BigEndian.Uint16(user[8:])]
}

// userKey is the cache key of a user: 64 bits of a hash. The verdict holds the
// whole tag, so users that share a key cannot share a verdict.
func userKey(user storage.UserTag) uint64 { return binary.BigEndian.Uint64(user[:]) }

// denies reports whether the token is among the user's denials.
func (held *verdict) denies(t *Token) bool {
	if !held.denials.Before.IsZero() && !t.IssuedAt.After(held.denials.Before) {
		return true
	}
	for i := range held.denials.Entries {
		if isDenied(&held.denials.Entries[i], t) {
			return true
		}
	}
	return false
}

// isDenied reports whether one entry is about the token. One of a newer version denies
// everything of the user.
func isDenied(e *storage.Denial, t *Token) bool {
	switch e.Kind {
	case storage.DenyToken:
		return t.HasTokenID && storage.TokenID(e.ID) == t.TokenID
	case storage.DenyFamily:
		return t.HasFamily && storage.FamilyID(e.ID) == t.Family
	case storage.DenySession:
		return t.HasSession && storage.SessionID(e.ID[:8]) == t.Session
	case storage.DenyUser:
		return true
	case storage.DenyIssued:
		return t.IssuedAt.Unix() <= int64(binary.BigEndian.Uint32(e.ID[:]))
	case storage.DenyClient:
		client, until := e.Withdrawn()
		return client == t.Client && t.IssuedAt.Unix() <= until.Unix()
	}
	return true
}
