// Package secrets derives keys from the configured secrets: MACs and sealing, a key
// for each Purpose. The first secret makes what is new, and all of them verify. It
// does not know what it protects.
//
// Begin reading at Secrets.
package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
)

// SecretSize is the least length of a configured secret, in bytes.
const SecretSize = 32

// Purpose separates the uses of a secret: each has a key of its own, so that
// what was made for one use is worth nothing in another.
type Purpose uint8

// The purposes. MAC and CheckMAC take those that authenticate, Seal and Open those that seal.
const (
	PurposeRefresh   Purpose = iota // MAC of refresh tokens
	PurposeCode                     // MAC of authorization codes
	PurposeSession                  // MAC of session cookies
	PurposePage                     // MAC of what pages carry: CSRF tokens, handles
	PurposeSealPage                 // sealing of state that pages and cookies carry
	PurposeSealKeys                 // sealing of the signing keys in the store
	PurposeDevice                   // MAC of device codes
	PurposeUserCode                 // keyed hash of user codes
	PurposeNonce                    // MAC of DPoP nonces
	PurposeBrowser                  // MAC of the marks of known browsers
	PurposeSealGiven                // sealing of what providers gave, in the store
	PurposeSealSite                 // sealing of what browsers carry between a site and the authorization server
	purposes
)

// purposeInfo are the HKDF info strings. They are part of the format: a changed
// one ends every token, session or key that was made under it.
var purposeInfo = [purposes]string{
	PurposeRefresh:   "gatehouse/v1/mac/refresh",
	PurposeCode:      "gatehouse/v1/mac/code",
	PurposeSession:   "gatehouse/v1/mac/session",
	PurposePage:      "gatehouse/v1/mac/page",
	PurposeSealPage:  "gatehouse/v1/seal/page",
	PurposeSealKeys:  "gatehouse/v1/seal/keys",
	PurposeDevice:    "gatehouse/v1/mac/device",
	PurposeUserCode:  "gatehouse/v1/mac/user-code",
	PurposeNonce:     "gatehouse/v1/mac/nonce",
	PurposeBrowser:   "gatehouse/v1/mac/known-browser",
	PurposeSealGiven: "gatehouse/v1/seal/given",
	PurposeSealSite:  "gatehouse/v1/seal/site",
}

const identifierInfo = "gatehouse/v1/identifier"

// MACSize is the length of a MAC in bytes: HMAC-SHA-256 cut to 128 bits
// (RFC 2104 §5).
const MACSize = 16

// Secrets are the configured secrets: the first mints, all verify, so that a
// secret can be changed in three deploys (old new; new old; new) without
// anybody noticing. Safe for concurrent use.
type Secrets struct {
	all []derived
}

// derived are the keys of one secret. See RFC 5869.
type derived struct {
	id   [16]byte
	macs [purposes]*macKey
	seal [purposes]cipher.AEAD
}

// NewSecrets derives the keys. Each value must have at least SecretSize bytes.
func NewSecrets(values ...[]byte) (*Secrets, error) {
	if len(values) == 0 {
		return nil, errors.New("reading secret: none is configured; make one with `openssl rand -base64 32`")
	}
	s := &Secrets{}
	for i, v := range values {
		if len(v) < SecretSize {
			return nil, fmt.Errorf("reading secret %d: it has %d bytes and needs at least %d; make one with `openssl rand -base64 32`",
				i+1, len(v), SecretSize)
		}
		d, err := derive(v)
		if err != nil {
			return nil, fmt.Errorf("deriving keys of secret %d: %w", i+1, err)
		}
		s.all = append(s.all, d)
	}
	return s, nil
}

func derive(secret []byte) (derived, error) {
	var d derived
	id, err := hkdf.Key(sha256.New, secret, nil, identifierInfo, len(d.id))
	if err != nil {
		return d, err
	}
	d.id = [16]byte(id)
	for p, info := range purposeInfo {
		key, err := hkdf.Key(sha256.New, secret, nil, info, 32)
		if err != nil {
			return d, err
		}
		if !Purpose(p).seals() {
			d.macs[p] = newMACKey(key)
			continue
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return d, err
		}
		if d.seal[p], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (p Purpose) seals() bool {
	return p == PurposeSealPage || p == PurposeSealKeys || p == PurposeSealGiven || p == PurposeSealSite
}

// IDs returns the identifiers of the secrets, the minting one first. An
// identifier does not help to find its secret.
func (s *Secrets) IDs() [][16]byte {
	ids := make([][16]byte, len(s.all))
	for i, d := range s.all {
		ids[i] = d.id
	}
	return ids
}

// MAC authenticates the parts, and where each ends, under the minting secret.
// The purpose must be one that authenticates.
func (s *Secrets) MAC(p Purpose, parts ...[]byte) [MACSize]byte {
	return s.all[0].macs[p].sum(parts)
}

// MACs returns the MAC of the parts under each of the secrets, the minting one first.
func (s *Secrets) MACs(p Purpose, parts ...[]byte) [][MACSize]byte {
	macs := make([][MACSize]byte, len(s.all))
	for i := range s.all {
		macs[i] = s.all[i].macs[p].sum(parts)
	}
	return macs
}

// CheckMAC reports in constant time whether mac is the MAC of the parts under
// any of the secrets, and which: an index above 0 is an older secret in use.
func (s *Secrets) CheckMAC(p Purpose, mac []byte, parts ...[]byte) (index int, ok bool) {
	for i := range s.all {
		sum := s.all[i].macs[p].sum(parts)
		if hmac.Equal(sum[:], mac) {
			return i, true
		}
	}
	return 0, false
}

// Seal encrypts and authenticates plaintext (AES-256-GCM, random nonce) and
// authenticates aad, under the minting secret. The purpose must be one that seals.
func (s *Secrets) Seal(p Purpose, plaintext, aad []byte) []byte {
	return s.all[0].seal[p].Seal(nil, nil, plaintext, aad) //nolint:gosec // the AEAD draws its own nonce
}

var errSealBroken = errors.New("opening sealed value: not sealed under any configured secret")

// Open reads what Seal wrote under any of the secrets, and says under which.
func (s *Secrets) Open(p Purpose, sealed, aad []byte) (plaintext []byte, index int, err error) {
	for i := range s.all {
		if plaintext, err = s.all[i].seal[p].Open(nil, nil, sealed, aad); err == nil {
			return plaintext, i, nil
		}
	}
	return nil, 0, errSealBroken
}

// macKey is an HMAC key. Its hashes are kept for reuse, with the key's two
// blocks already hashed: the MAC is on the path of every refresh.
type macKey struct{ pool sync.Pool }

func newMACKey(key []byte) *macKey {
	return &macKey{pool: sync.Pool{New: func() any {
		return &macState{Hash: hmac.New(sha256.New, key)}
	}}}
}

// macState is one reusable hash with room for its result, so that nothing is
// allocated per MAC.
type macState struct {
	hash.Hash

	length [4]byte
	out    [sha256.Size]byte
}

func (k *macKey) sum(parts [][]byte) [MACSize]byte {
	h := k.pool.Get().(*macState) //nolint:forcetypeassert // the pool holds nothing else
	h.Reset()
	for _, part := range parts {
		// Framed, so that ("ab", "c") and ("a", "bc") differ.
		binary.BigEndian.PutUint32(h.length[:], uint32(len(part)))
		_, _ = h.Write(h.length[:]) // a hash never fails
		_, _ = h.Write(part)
	}
	sum := [MACSize]byte(h.Sum(h.out[:0])[:MACSize])
	k.pool.Put(h)
	return sum
}
