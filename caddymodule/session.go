package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
)

// The defaults of Session.
const (
	defaultSessionLifetime     = 7 * 24 * time.Hour
	defaultSessionIdleLifetime = 3 * 24 * time.Hour
)

// Session is how long a person stays signed in at the authorization server
// (single sign-on): until then, applications get tokens without a login page.
type Session struct {
	// How long after the login the session ends. Default: 7d
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long after its last use the session ends. Default: 3d, or the
	// lifetime where that is shorter
	IdleLifetime caddy.Duration `json:"idle_lifetime,omitempty"`
}
