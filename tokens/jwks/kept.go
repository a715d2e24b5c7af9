package jwks

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Kept keeps the last good set of an issuer from one run of the process to the
// next, so that a restart while the issuer is away refuses nobody. Whoever can
// write there decides what is believed.
type Kept interface {
	// Load returns the document and when the issuer last showed it; nil for none.
	Load(ctx context.Context) (document []byte, seen time.Time, err error)
	Save(ctx context.Context, document []byte, seen time.Time) error
	Delete(ctx context.Context) error
}

const (
	// keepTimeout is how long one call of Kept may take.
	keepTimeout = 2 * time.Second
	// keepEvery is how often a set is written again that has not changed: with it
	// goes when the issuer last showed it.
	keepEvery = time.Hour
)

// keeping is what has been written last.
type keeping struct {
	mu     sync.Mutex // held while something is written or deleted
	digest [32]byte
	at     time.Time
}

// Adopt takes the keys that another Remote of the same issuer holds, where this one has
// none: a reload that changes where or how they are fetched goes on with them until
// the first fetch. They are no younger by that.
func (k *Remote) Adopt(other *Remote) {
	held := other.held.Load()
	if held == nil || k.held.Load() != nil {
		return
	}
	if next, err := k.read(held.document, held.at); err == nil {
		next.Set = next.Set.Keep(held.Set)
		k.held.Store(next)
	}
}

// restore takes the set that was kept, where there is none yet. It is trusted for as
// long as if the process had never ended.
func (k *Remote) restore(ctx context.Context) {
	if k.cfg.Kept == nil || k.held.Load() != nil {
		return
	}
	purges := k.purgesNow()
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	document, seen, err := k.cfg.Kept.Load(ctx)
	if err != nil {
		k.tell(ctx, oauth.KeysNotKept, err)
		return
	}
	if document == nil || seen.After(k.cfg.Clock()) {
		return
	}
	if next, err := k.read(document, seen); err == nil {
		k.hold(next, purges)
	}
}

// keep writes a set that has come from the issuer, unless it was purged since.
func (k *Remote) keep(ctx context.Context, next *heldKeys, purges int) {
	if k.cfg.Kept == nil {
		return
	}
	k.keeping.mu.Lock()
	defer k.keeping.mu.Unlock()
	if k.purgesNow() != purges || k.keeping.digest == next.digest && next.at.Sub(k.keeping.at) < keepEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if err := k.cfg.Kept.Save(ctx, next.document, next.at); err != nil {
		k.tell(ctx, oauth.KeysNotKept, err)
		return
	}
	k.keeping.digest, k.keeping.at = next.digest, next.at
}

// forget deletes what was kept.
func (k *Remote) forget() {
	if k.cfg.Kept == nil {
		return
	}
	k.keeping.mu.Lock()
	defer k.keeping.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), keepTimeout)
	defer cancel()
	k.keeping.digest = [32]byte{}
	if err := k.cfg.Kept.Delete(ctx); err != nil {
		k.tell(ctx, oauth.KeysNotKept, err)
	}
}
