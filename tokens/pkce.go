package tokens

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// validChallenge reports whether s can be an S256 code_challenge: the
// base64url of 32 bytes, unpadded. See RFC 7636 §4.2.
func validChallenge(s string) bool { return len(s) == 43 && oauth.Unreserved(s, false) }

// validVerifier reports whether s can be a code_verifier. See RFC 7636 §4.1.
func validVerifier(s string) bool { return len(s) >= 43 && len(s) <= 128 && oauth.Unreserved(s, true) }

// verifies reports whether the verifier belongs to an S256 challenge. See RFC 7636 §4.6.
func verifies(verifier, challenge string) bool {
	return subtle.ConstantTimeCompare([]byte(challengeOf(verifier)), []byte(challenge)) == 1
}

// challengeOf returns the S256 challenge of a verifier, "" for none.
func challengeOf(verifier string) string {
	if verifier == "" {
		return ""
	}
	h := sha256.Sum256([]byte(verifier))
	return storage.Encode(h[:])
}
