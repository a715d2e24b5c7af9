package jose

import (
	"crypto"
	"slices"
)

// Keep returns the set with each key that old has as well taken from old, so
// that a key stays the same pointer for as long as its issuer publishes it.
func (s Set) Keep(old Set) Set {
	kept := Set{
		keys:    make([]*PublicKey, len(s.keys)),
		byID:    make(map[string][]*PublicKey, len(s.byID)),
		dropped: s.dropped,
	}
	for i, key := range s.keys {
		if at := slices.IndexFunc(old.byID[key.id], key.equal); at >= 0 {
			key = old.byID[key.id][at]
		}
		kept.keys[i] = key
		kept.byID[key.id] = append(kept.byID[key.id], key)
	}
	return kept
}

// equal reports whether both are one key for one algorithm under one ID.
func (k *PublicKey) equal(other *PublicKey) bool {
	if other == nil || k.id != other.id || k.alg != other.alg || k.issuer != other.issuer {
		return false
	}
	key, ok := k.key.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && key.Equal(other.key)
}
