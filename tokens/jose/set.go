package jose

import (
	"errors"
)

// MaxKeys is how many keys a foreign key set may hold.
const MaxKeys = 100

// Set is an immutable set of public keys with distinct IDs.
type Set struct {
	keys []*PublicKey
	byID map[string]*PublicKey
}

// Key returns the key with an ID, or nil.
func (s Set) Key(id string) *PublicKey { return s.byID[id] }

// Keys returns the keys in their order. The caller must not change the slice.
func (s Set) Keys() []*PublicKey { return s.keys }

// ParseKeySet reads a foreign JWK set (RFC 7517 §5).
func ParseKeySet(data []byte) (Set, error) { return Set{}, errors.New("unwritten") }

// MarshalKeySet writes a JWK set of public keys.
func MarshalKeySet(keys []*PublicKey) ([]byte, error) { return nil, errors.New("unwritten") }
