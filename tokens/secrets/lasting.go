package secrets

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// MACKey is a key for one use, made of one that outlasts every configured secret: a store
// keeps that. Safe for concurrent use.
type MACKey struct{ key *macKey }

// NewMACKey derives the key for a use, which is part of the format of what it protects. See
// RFC 5869.
func NewMACKey(lasting []byte, use string) (*MACKey, error) {
	if len(lasting) < SecretSize {
		return nil, fmt.Errorf("deriving the key for %s: what it comes from has %d bytes and needs at least %d", use, len(lasting), SecretSize)
	}
	key, err := hkdf.Key(sha256.New, lasting, nil, use, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the key for %s: %w", use, err)
	}
	return &MACKey{newMACKey(key)}, nil
}

// Sum authenticates the parts, and where each ends.
func (k *MACKey) Sum(parts ...[]byte) [MACSize]byte { return k.key.sum(parts) }
