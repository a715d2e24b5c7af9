// Package tokens is the OAuth core of Gatehouse: plain values in, plain values
// or a typed *Error out. It knows no HTTP, no Caddy and no database.
package tokens

import (
	"io"
	"time"
)

// Config is one configuration of the authorization server. It is immutable;
// a reload makes a new Issuer over the same State.
type Config struct {
	Issuer     string // exactly as it is emitted; an https URL, http on loopback only
	APIs       []*API
	Clients    []*Client
	Accounts   Accounts
	IDTokenAlg string // JWA name
	// AccessTokenAlg is the JWA name of the algorithm of access tokens.
	AccessTokenAlg string
	// IDTokenLifetime is how long ID tokens are good for.
	IDTokenLifetime time.Duration
	// UserinfoTokenLifetime is the lifetime of access tokens without an API.
	UserinfoTokenLifetime time.Duration
	SessionLifetime       time.Duration // absolute
	SessionIdleLifetime   time.Duration
	// CompareHash compares a plaintext with a bcrypt or argon2id hash.
	CompareHash func(hash, plaintext []byte) (bool, error)
	Observer    Observer
	Clock       func() time.Time
	Rand        io.Reader
}

// Accounts is what the configuration knows about its local users, asked at every refresh.
type Accounts interface {
	// Fingerprint returns the fingerprint of the user's password hash as
	// configured now, or zero for a user who is not local (any more).
	Fingerprint(user UserTag) Fingerprint
}
