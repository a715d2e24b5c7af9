package caddymodule

import (
	"cmp"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// The defaults of Session.
const (
	defaultSessionLifetime     = 7 * 24 * time.Hour
	defaultSessionIdleLifetime = 3 * 24 * time.Hour
)

// The limits of Session. Last use is noted to the minute.
const (
	minSession = 5 * time.Minute
	maxSession = 400 * 24 * time.Hour // browsers keep no cookie longer
)

// Session is how long people stay signed in at the authorization server (single sign-on). Until
// the session ends, applications get tokens without showing a login page.
type Session struct {
	// How long after sign-in the session ends. Default: 7d
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long after its last use the session ends. Default: 3d, or the lifetime if that is
	// shorter
	IdleLifetime caddy.Duration `json:"idle_lifetime,omitempty"`
}

func (s *Session) options() grammar.Options {
	return grammar.Options{
		"lifetime":      grammar.Duration(&s.Lifetime),
		"idle_lifetime": grammar.Duration(&s.IdleLifetime),
	}
}

// Check finds what the text shows to be wrong.
func (s *Session) Check() error {
	lifetime, idle := s.lifetime(), s.idleLifetime()
	switch {
	case lifetime < minSession || lifetime > maxSession:
		return grammar.Wrong("lifetime", "%s is out of range: take %s to %s", grammar.ShowDuration(lifetime), grammar.ShowDuration(minSession), grammar.ShowDuration(maxSession))
	case idle < minSession:
		return grammar.Wrong("idle_lifetime", "%s is too short: take at least %s", grammar.ShowDuration(idle), grammar.ShowDuration(minSession))
	case idle > lifetime:
		return grammar.Wrong("idle_lifetime", "%s is longer than the lifetime of %s: shorten it, or raise the lifetime", grammar.ShowDuration(idle), grammar.ShowDuration(lifetime))
	}
	return nil
}

func (s *Session) lifetime() time.Duration {
	return cmp.Or(time.Duration(orZero(s).Lifetime), defaultSessionLifetime)
}

func (s *Session) idleLifetime() time.Duration {
	return cmp.Or(time.Duration(orZero(s).IdleLifetime), min(defaultSessionIdleLifetime, s.lifetime()))
}
