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
	client bool // the keys are those of a client, and the issuer is its ID
}

// sameIssuer reports whether what is known of one by the network is good for the other.
func (k keysPoolKey) sameIssuer(other keysPoolKey) bool {
	return k.client == other.client && k.source.Issuer == other.source.Issuer && k.source.Remote() && other.source.Remote()
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
	mu      sync.Mutex
	storage siteStorage
	taken   map[keysPoolKey]*sharedKeys
	heard   *events.Observer
}

// take finds the keys in the pool or makes them, and fetches nothing. Those that are
// made begin with what another configuration holds of the same issuer.
func (k *issuerKeys) take(key keysPoolKey, heard *events.Observer) (*jwks.Remote, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if shared, ok := k.taken[key]; ok {
		return shared.Remote, nil
	}
	source, before := key.source, keysBefore(key)
	value, _, err := remoteKeys.LoadOrNew(key, func() (caddy.Destructor, error) {
		observer := new(events.SharedObserver)
		remote := jwks.NewRemote(jwks.RemoteConfig{
			Issuer:   source.Issuer,
			Fetch:    fetch.NewKeyFetcher(source, resolveAnywhere).Fetch,
			RSA:      key.rsa,
			Kept:     keptIn(k.storage, key),
			Observer: observer,
			Clock:    time.Now,
		})
		for _, other := range before {
			remote.Adopt(other)
		}
		return &sharedKeys{observer: observer, Remote: remote}, nil
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

// keysBefore are the keys of the same issuer that the process holds already.
func keysBefore(key keysPoolKey) (before []*jwks.Remote) {
	remoteKeys.Range(func(other, value any) bool {
		if shared, ok := value.(*sharedKeys); ok && key.sameIssuer(other.(keysPoolKey)) {
			before = append(before, shared.Remote)
		}
		return true
	})
	return before
}

// resolveAnywhere replaces placeholders that stand among other text.
func resolveAnywhere(text string) (string, error) {
	return caddy.NewReplacer().ReplaceOrErr(text, true, true)
}

// start begins to fetch what is not fetched yet. A file that cannot be read is an error.
func (k *issuerKeys) start() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key := range k.taken {
		if err := key.source.CheckFiles(); err != nil {
			return fmt.Errorf("bearer_auth: issuer %s: %w", key.source.Issuer, err)
		}
	}
	for _, shared := range k.taken {
		shared.Start()
	}
	return nil
}

// place says where the keys are, for people.
func (k keysPoolKey) place() string {
	if k.source.Document != "" {
		return "written out"
	}
	return cmp.Or(k.source.JWKSURI, k.source.File, "as its metadata says")
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
		info := adminapi.OtherIssuer{Issuer: key.source.Issuer, Keys: key.place()}
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
