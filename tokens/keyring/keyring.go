// Package keyring holds this gateway's own signing keys, which all nodes on one
// store share: they are rotated on time, published before they sign, and sealed in the
// store. It knows no tokens.
//
// Begin reading at Ring.
package keyring

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The defaults of Settings.
const (
	DefaultRotateEvery   = 90 * 24 * time.Hour
	DefaultPublishBefore = time.Hour
)

// Settings say which signing keys a Ring holds and how they live.
type Settings struct {
	Secrets       *secrets.Secrets
	Algorithms    []jose.Algorithm
	RotateEvery   time.Duration // 0 is DefaultRotateEvery
	KeepFor       time.Duration // the longest lifetime of a token plus leeway: how long a replaced key still verifies
	PublishBefore time.Duration // how long a key is in the JWKS before it signs; 0 is DefaultPublishBefore
	LookEvery     time.Duration // how long it takes at most to hear of a key that another node dropped; 0 is a minute
}

// KeyState says what a key is for now.
type KeyState string

// The states of a key.
const (
	KeyNext    KeyState = "next"    // published, not yet used
	KeyCurrent KeyState = "current" // signs
	KeyOld     KeyState = "old"     // replaced; still verifies
)

// KeyInfo is what operators may see of a signing key.
type KeyInfo struct {
	ID        string         `json:"kid"`
	Algorithm jose.Algorithm `json:"alg"`
	State     KeyState       `json:"state"`
	Created   time.Time      `json:"created"`
	UseFrom   time.Time      `json:"use_from"`
}

// Ring holds the signing keys that all nodes on one store share. What is
// read on the request path is one immutable snapshot. Safe for concurrent use.
type Ring struct {
	store      storage.KeyStore
	observer   oauth.Observer
	clock      func() time.Time
	current    atomic.Pointer[keySnapshot]
	ahead      atomic.Int64 // by how much the store's clock is ahead of ours, in nanoseconds
	wake       chan struct{}
	configured chan struct{} // tells Run that there are new settings
	woken      atomic.Int64  // when an unknown key last woke Run, in Unix nanoseconds

	settings atomic.Pointer[Settings]
	mu       sync.Mutex // held while the keys of the store are read and changed
}

// New makes a ring over a store. It does no I/O; clock nil is time.Now.
func New(store storage.KeyStore, observer oauth.Observer, clock func() time.Time) *Ring {
	if clock == nil {
		clock = time.Now
	}
	if observer == nil {
		observer = oauth.NopObserver{}
	}
	r := &Ring{store: store, observer: observer, clock: clock, wake: make(chan struct{}, 1), configured: make(chan struct{}, 1)}
	r.current.Store(&keySnapshot{})
	r.settings.Store(&Settings{})
	return r
}

// Configure applies settings; the latest win. It does no I/O: call it before
// Load, and Tick after it when keys for new algorithms must be there at once.
// It returns the previous settings.
func (r *Ring) Configure(set Settings) (before Settings) {
	if set.RotateEvery <= 0 {
		set.RotateEvery = DefaultRotateEvery
	}
	if set.PublishBefore <= 0 {
		set.PublishBefore = DefaultPublishBefore
	}
	// The next key is published within the life of the present one.
	set.PublishBefore = min(set.PublishBefore, set.RotateEvery/2)
	set.Algorithms = slices.Clone(set.Algorithms)
	before = *r.settings.Swap(&set)
	select {
	case r.configured <- struct{}{}:
	default:
	}
	return before
}

// Signers are the keys that sign at one moment.
type Signers struct {
	snapshot *keySnapshot
	now      time.Time
}

// Signers returns the keys that sign now: what there is stays, whatever becomes of the ring.
func (r *Ring) Signers() Signers { return Signers{r.current.Load(), r.now()} }

// Signer returns the key that signs with alg.
func (s Signers) Signer(alg jose.Algorithm) (*jose.PrivateKey, error) {
	if key := s.snapshot.signer(alg, s.now); key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("finding signing key: there is none for %s", alg)
}

// now is the store's time, as all nodes on it see it.
func (r *Ring) now() time.Time { return r.clock().Add(time.Duration(r.ahead.Load())) }

// Ahead returns by how much the store's clock is ahead of this node's, as the
// last Load has found.
func (r *Ring) Ahead() time.Duration { return time.Duration(r.ahead.Load()) }

// wakeEvery bounds how often unknown key IDs, which anybody can send, make the
// ring ask the store.
const wakeEvery = 5 * time.Second

// Verifier returns the key with an ID, or nil. An unknown one may have been
// made by another node a moment ago: Run looks soon, and nobody waits for it.
func (r *Ring) Verifier(kid string) *jose.PublicKey {
	if key := r.current.Load().verifiers[kid]; key != nil {
		return key
	}
	now, last := r.clock().UnixNano(), r.woken.Load()
	if now-last >= int64(wakeEvery) && r.woken.CompareAndSwap(last, now) {
		r.Look()
	}
	return nil
}

// Look makes Run ask the store soon: another node may have changed the keys.
func (r *Ring) Look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Epoch changes whenever a key is added or dropped.
func (r *Ring) Epoch() uint64 { return r.current.Load().epoch }

// JWKS returns the published keys as a JWK set (RFC 7517 §5). The slice must not be changed.
func (r *Ring) JWKS() []byte { return r.current.Load().jwks }

// Lasting returns the secret of the store, which is made with it and never changes: for
// what is good as long as the store is there. Nil before the first Load. The slice must
// not be changed.
func (r *Ring) Lasting() []byte { return r.current.Load().lasting }

// Keys describes the keys, by algorithm and age.
func (r *Ring) Keys() []KeyInfo {
	now, snapshot := r.now(), r.current.Load()
	infos := make([]KeyInfo, 0, len(snapshot.keys))
	for _, k := range snapshot.keys {
		info := KeyInfo{ID: k.private.ID(), Algorithm: k.private.Algorithm(), State: KeyOld, Created: k.created, UseFrom: k.useFrom}
		switch {
		case snapshot.signer(info.Algorithm, now) == k.private:
			info.State = KeyCurrent
		case k.useFrom.After(now):
			info.State = KeyNext
		}
		if !k.retired.IsZero() {
			info.State = KeyOld
		}
		infos = append(infos, info)
	}
	return infos
}

// ringKey is one signing key. Which one signs follows from the time alone, so
// that putting a published key to use needs no store.
type ringKey struct {
	private *jose.PrivateKey
	created time.Time
	useFrom time.Time
	keep    time.Duration // how long it verifies after it was replaced: the longest KeepFor of those who signed with it
	retired time.Time     // since when no node asks for its algorithm, as far as this one knows; zero while one does
}

// compareKeys sorts by algorithm, then by use. Keys that come into use in the
// same millisecond keep their order, in which they were made.
func compareKeys(a, b ringKey) int {
	return cmp.Or(cmp.Compare(a.private.Algorithm(), b.private.Algorithm()), a.useFrom.Compare(b.useFrom))
}

// keySnapshot is one immutable state of the ring.
type keySnapshot struct {
	epoch     uint64
	keys      []ringKey // by algorithm, then useFrom
	verifiers map[string]*jose.PublicKey
	jwks      []byte
	lasting   []byte
}

// next makes the snapshot that follows s, of sorted keys. Keys that stay keep their pointers.
func (s *keySnapshot) next(keys []ringKey) (*keySnapshot, error) {
	n := &keySnapshot{epoch: s.epoch, keys: keys, verifiers: make(map[string]*jose.PublicKey, len(keys))}
	public := make([]*jose.PublicKey, len(keys))
	changed := len(keys) != len(s.keys)
	for i, k := range keys {
		public[i] = k.private.Public()
		n.verifiers[k.private.ID()] = public[i]
		changed = changed || s.verifiers[k.private.ID()] == nil
	}
	if changed {
		n.epoch++
	}
	slices.SortStableFunc(public, comparePublished)
	var err error
	n.jwks, err = jose.MarshalKeySet(public)
	return n, err
}

// comparePublished puts RSA keys first, RS256 ahead of all: many verifiers stop at a
// kind of key that they do not know.
func comparePublished(a, b *jose.PublicKey) int {
	rank := func(alg jose.Algorithm) int {
		switch {
		case alg == jose.RS256:
			return 0
		case alg.RSA():
			return 1
		}
		return 2
	}
	return cmp.Compare(rank(a.Algorithm()), rank(b.Algorithm()))
}

// signer returns the newest key of an algorithm that may be used. A clock that
// was set back must not stop the gateway: if all are of the future, the first.
func (s *keySnapshot) signer(alg jose.Algorithm, now time.Time) *jose.PrivateKey {
	var found *jose.PrivateKey
	for _, k := range s.keys {
		if k.private.Algorithm() == alg && (found == nil || !k.useFrom.After(now)) {
			found = k.private
		}
	}
	return found
}

// private returns a key that the snapshot holds already, or nil.
func (s *keySnapshot) private(kid string) *jose.PrivateKey {
	for _, k := range s.keys {
		if k.private.ID() == kid {
			return k.private
		}
	}
	return nil
}
