package jwks

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// heldKeys are a good set and when its issuer last showed it.
type heldKeys struct {
	Set      jose.Set
	document []byte
	digest   [sha256.Size]byte
	at       time.Time
}

// Trusted returns the set, or nil where there is none or it is too old.
func (k *Remote) Trusted(now time.Time) *heldKeys {
	held := k.held.Load()
	if held == nil || now.Sub(held.at) > maxStale {
		return nil
	}
	return held
}

// accept takes a document in the place of the one before, if all of it is good
// and nobody has purged the keys since it was asked for.
func (k *Remote) accept(ctx context.Context, document []byte, purges int) error {
	before := k.held.Load()
	if before != nil && before.digest == sha256.Sum256(document) {
		next := *before
		next.at = k.cfg.Clock()
		k.hold(&next, purges)
		k.tell(ctx, oauth.KeysUnchanged, nil)
		k.keep(ctx, &next, purges)
		return nil
	}
	next, err := k.read(document, k.cfg.Clock())
	if err != nil {
		return err
	}
	if before != nil {
		next.Set = next.Set.Keep(before.Set)
	}
	k.hold(next, purges)
	k.tell(ctx, oauth.KeysChanged, errors.Join(next.Set.Dropped()...))
	k.keep(ctx, next, purges)
	return nil
}

// read reads a document that the issuer has shown at a time.
func (k *Remote) read(document []byte, at time.Time) (*heldKeys, error) {
	set, err := jose.ParseKeys(document, k.cfg.RSA)
	if err != nil {
		return nil, err
	}
	return &heldKeys{Set: set, document: document, digest: sha256.Sum256(document), at: at}, nil
}

// hold takes a set into use, unless the keys were purged since it was asked for.
func (k *Remote) hold(next *heldKeys, purges int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.purges == purges {
		k.held.Store(next)
	}
}

func (k *Remote) purgesNow() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.purges
}
