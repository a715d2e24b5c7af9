package tokens

import "time"

// DefaultLeeway is how far clocks may differ. Within RFC 7519 §4.1.4's "no
// more than a few minutes"; the FAPI 2.0 conformance suite wants tokens from 10 s ahead accepted.
const DefaultLeeway = 10 * time.Second

// TypeAccessToken is the typ of an access token (RFC 9068 §2.1), TypeIDToken that of an ID token.
const (
	TypeAccessToken = "at+jwt"
	TypeIDToken     = "JWT"
)

// VerifierConfig is what a Verifier needs.
type VerifierConfig struct {
	Issuer string // compared byte for byte
	Keys   *KeyRing
	Cache  *Cache           // nil for none
	Clock  func() time.Time // nil is time.Now
	Leeway time.Duration    // 0 is strict; at most a minute
}

// Verifier checks tokens of this gateway. Safe for concurrent use.
type Verifier struct {
}

// NewVerifier makes a Verifier.
func NewVerifier(cfg VerifierConfig) *Verifier { panic("unwritten") }

// Verify checks an access token: form, type, key, algorithm, signature,
// issuer, required claims and time. Audience, scope and denylist are the
// caller's. Every error is a shared *Error with code InvalidToken: do not
// change it. See RFC 9068 §4 and RFC 8725 §3.
func (v *Verifier) Verify(token string) (*Claims, error) { panic("unwritten") }

// VerifyIDToken checks an ID token that comes back as a hint. It may have
// expired. See OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2.
func (v *Verifier) VerifyIDToken(token string) (*Claims, error) { panic("unwritten") }
