package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
)

// The defaults of RefreshToken.
const (
	defaultLeeway              = 10 * time.Second
	defaultRefreshLifetime     = 30 * 24 * time.Hour
	defaultRefreshIdleLifetime = 15 * 24 * time.Hour
	defaultMaxActive           = 200
)

// RefreshToken is how a client's refresh tokens live.
type RefreshToken struct {
	// Whether each use gives a new refresh token and the reuse of an old one ends
	// the login. Only `web` clients may switch it off. Default: true
	Rotation *bool `json:"rotation,omitempty"`

	// How long, at most 60s, the previous refresh token gets the same answer
	// again: for an answer that was lost, or two tabs at once. 0 is strict.
	// Default: 10s
	Leeway *caddy.Duration `json:"leeway,omitempty"`

	// How long after the login its refresh tokens end, however often they rotate;
	// or "infinite". Default: 30d
	Lifetime Lifetime `json:"lifetime,omitempty"`

	// How long after its last use a refresh token ends; or "infinite". Default: 15d,
	// or the lifetime where that is shorter
	IdleLifetime Lifetime `json:"idle_lifetime,omitempty"`

	// How many logins one user may have at this client; the oldest is ended by
	// one more. Default: 200
	MaxActive int `json:"max_active,omitempty"`
}
