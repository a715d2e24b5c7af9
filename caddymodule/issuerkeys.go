package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/jwks"
)

// remoteKeys are the keys of other issuers that the process fetches, by
// keysPoolKey. A reload goes on with those that it has.
var remoteKeys = caddy.NewUsagePool()

// keysPoolKey names what is fetched and how it is read, and nothing else of the
// settings of a route.
type keysPoolKey struct {
	source fetch.KeySource
	rsa    jose.Algorithm
}

// sharedKeys are the keys of an issuer with the configurations that use them.
// What happens to the keys is told to the newest of these.
type sharedKeys struct {
	*jwks.Remote

	observer *events.SharedObserver
}

// Destruct ends the fetching when the last configuration is gone.
func (s *sharedKeys) Destruct() error {
	s.Close()
	return nil
}

// issuerKeys are the keys of other issuers that one configuration uses.
type issuerKeys struct {
	mu    sync.Mutex
	taken map[keysPoolKey]*sharedKeys
	heard *events.Observer
}

// take finds the keys in the pool or makes them, and fetches nothing.
func (k *issuerKeys) take(source fetch.KeySource, rsa jose.Algorithm, heard *events.Observer) (*jwks.Remote, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := keysPoolKey{source, rsa}
	if shared, ok := k.taken[key]; ok {
		return shared.Remote, nil
	}
	value, _, err := remoteKeys.LoadOrNew(key, func() (caddy.Destructor, error) {
		observer := new(events.SharedObserver)
		return &sharedKeys{observer: observer, Remote: jwks.NewRemote(jwks.RemoteConfig{
			Issuer:   source.Issuer,
			Fetch:    fetch.NewKeyFetcher(source).Fetch,
			RSA:      rsa,
			Observer: observer,
			Clock:    time.Now,
		})}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("taking the keys of %s: %w", source.Issuer, err)
	}
	shared := value.(*sharedKeys)
	shared.observer.Enter(heard)
	if k.taken == nil {
		k.taken = make(map[keysPoolKey]*sharedKeys)
	}
	k.taken[key], k.heard = shared, heard
	return shared.Remote, nil
}

// start begins to fetch what is not fetched yet.
func (k *issuerKeys) start() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, shared := range k.taken {
		shared.Start()
	}
}

// release gives all keys back, once. What is held goes on verifying. A nil k
// has none.
func (k *issuerKeys) release() error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var failures []error
	for key, shared := range k.taken {
		shared.observer.Leave(k.heard)
		_, err := remoteKeys.Delete(key)
		failures = append(failures, err)
	}
	k.taken = nil
	return errors.Join(failures...)
}

// List returns the issuers, in order.
func (k *issuerKeys) List() []adminapi.OtherIssuer {
	k.mu.Lock()
	defer k.mu.Unlock()
	infos := make([]adminapi.OtherIssuer, 0, len(k.taken))
	for key, shared := range k.taken {
		info := adminapi.OtherIssuer{Issuer: key.source.Issuer, Keys: cmp.Or(key.source.JWKSURI, "as its metadata says")}
		if seen := shared.LastSeen(); !seen.IsZero() {
			info.LastSeen = seen.UTC().Format(time.RFC3339)
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b adminapi.OtherIssuer) int {
		return cmp.Or(cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Keys, b.Keys))
	})
	return infos
}

// Purge forgets the keys of an issuer, and reports whether it is known.
func (k *issuerKeys) Purge(issuer string) (known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, shared := range k.taken {
		if key.source.Issuer == issuer {
			shared.Purge()
			known = true
		}
	}
	return known
}

// lastSeen returns when each issuer last showed its keys: of several key sets the
// oldest counts, and those that were never fetched are left out.
func (k *issuerKeys) lastSeen() map[string]time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	oldest := make(map[string]time.Time)
	for key, shared := range k.taken {
		issuer, seen := key.source.Issuer, shared.LastSeen()
		if before, ok := oldest[issuer]; !seen.IsZero() && (!ok || seen.Before(before)) {
			oldest[issuer] = seen
		}
	}
	return oldest
}
