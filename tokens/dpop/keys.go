package dpop

import (
	"crypto/sha256"
	"sync"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// proofKeys verifies proofs, and keeps the keys of those that were good, ready
// for use, by the hash of algorithm and jwk: a client has one key and writes it
// in one way. Two maps bound it, of which the older is dropped in turn.
type proofKeys struct {
	mu           sync.RWMutex
	recent, past map[[sha256.Size]byte]*proofKey
}

// proofKey is a public key and its thumbprint.
type proofKey struct {
	key   *jose.PublicKey
	print jose.Thumbprint
}

// maxProofKeys bounds each of the maps: a few kilobytes an entry at most.
const maxProofKeys = 4096

func newProofKeys() *proofKeys {
	return &proofKeys{recent: make(map[[sha256.Size]byte]*proofKey)}
}

// verify checks a proof's signature by the key that it brings.
// See RFC 9449 §4.3 items 6 and 7.
func (k *proofKeys) verify(p *proof) (jose.Thumbprint, error) {
	digest := p.keyDigest()
	key, held := k.get(digest)
	if !held {
		var err error
		if key, err = parseProofKey(p); err != nil {
			return jose.Thumbprint{}, errProofKey
		}
	}
	if key.key.VerifySignature([]byte(p.signed), p.signature) != nil {
		return jose.Thumbprint{}, errProofSignature
	}
	if !held {
		k.put(digest, key)
	}
	return key.print, nil
}

func parseProofKey(p *proof) (*proofKey, error) {
	key, err := jose.ParsePublicKey(p.key, p.alg)
	if err != nil {
		return nil, err
	}
	print, err := key.Thumbprint()
	return &proofKey{key: key, print: print}, err
}

// keyDigest names the key as it is written, and its algorithm.
func (p *proof) keyDigest() [sha256.Size]byte {
	b := make([]byte, 0, 512)
	b = append(b, p.alg...)
	b = append(b, 0)
	return sha256.Sum256(append(b, p.key...))
}

func (k *proofKeys) get(digest [sha256.Size]byte) (*proofKey, bool) {
	k.mu.RLock()
	key, ok := k.recent[digest]
	older := k.past[digest]
	k.mu.RUnlock()
	if ok || older == nil {
		return key, ok
	}
	k.put(digest, older)
	return older, true
}

func (k *proofKeys) put(digest [sha256.Size]byte, key *proofKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.recent) >= maxProofKeys {
		k.past, k.recent = k.recent, make(map[[sha256.Size]byte]*proofKey)
	}
	k.recent[digest] = key
}
