package clients

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// sha256Prefix marks the hash of a generated secret, which has so much entropy
// that a fast hash keeps it safe.
const sha256Prefix = "sha256:"

// HashSecret returns the "sha256:" hash of a generated secret (at least 256
// random bits; never of a chosen password).
func HashSecret(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return sha256Prefix + storage.Encode(h[:])
}

// CheckSecretHash reports what is wrong with a configured secret hash, if anything.
func CheckSecretHash(hash string) error {
	switch {
	case strings.HasPrefix(hash, sha256Prefix):
		if len(hash) != len(sha256Prefix)+43 || !oauth.Unreserved(hash[len(sha256Prefix):], false) {
			return errors.New("not the hash that `caddy oauth secret` prints: sha256: and 43 characters of base64url")
		}
		return nil
	case slowHash(hash):
		return nil
	}
	return errors.New("not a hash: use `caddy oauth secret` to make a secret with its hash, or `caddy hash-password` to hash one of your own")
}

// slowHash reports whether the hash is of a kind made to be slow (bcrypt, argon2id).
func slowHash(hash string) bool {
	return strings.HasPrefix(hash, "$2") || strings.HasPrefix(hash, "$argon2id$")
}

// matchesSHA256 compares a secret with a "sha256:" hash in constant time.
func matchesSHA256(hash, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(hash), []byte(HashSecret(secret))) == 1
}
