package caddymodule

import (
	"cmp"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The defaults of RefreshToken.
const (
	defaultLeeway              = 10 * time.Second
	defaultRefreshLifetime     = 30 * 24 * time.Hour
	defaultRefreshIdleLifetime = 15 * 24 * time.Hour
	defaultMaxActive           = 200
)

// maxLeeway bounds how long a stolen refresh token passes for a lost answer.
const maxLeeway = time.Minute

// minCookieLeeway is the shortest leeway for tabs that share one token.
const minCookieLeeway = time.Second

// minRefresh is the shortest life of a refresh token that is of use.
const minRefresh = time.Minute

// RefreshToken is how long a client's refresh tokens last, and how they are used.
type RefreshToken struct {
	// Whether each use returns a new refresh token, and the reuse of an old one ends the login.
	// Only `web` clients can turn it off. Default: true
	Rotation *bool `json:"rotation,omitempty"`

	// How long, up to 60s, the previous refresh token gets the same response again, for a
	// response that was lost or two tabs at the same time. 0 is strict. Default: 10s
	Leeway *caddy.Duration `json:"leeway,omitempty"`

	// How long after sign-in the refresh tokens of a login end, no matter how often they
	// rotate; or "infinite". Default: 30d
	Lifetime Lifetime `json:"lifetime,omitempty"`

	// How long after its last use a refresh token ends; or "infinite". Default: 15d, or the
	// lifetime if that is shorter
	IdleLifetime Lifetime `json:"idle_lifetime,omitempty"`

	// How many logins one user can have at this client, up to 500. One more ends the oldest.
	// Nobody can have more than 500 at all clients together. Default: 200
	MaxActive int `json:"max_active,omitempty"`

	// Whether the browser keeps the refresh token in a cookie that scripts cannot read, instead
	// of the app keeping it in memory. It is for `spa` clients on the issuer's own site, which
	// then refresh at `/oauth/refresh`. Default: false
	Cookie bool `json:"cookie,omitempty"`

	// Whether the client gets a refresh token without requesting `offline_access`, for an API
	// that has `allow_offline_access`. It is for clients that only request the scopes that a
	// challenge names, as MCP clients do. Default: false
	Always bool `json:"always,omitempty"`

	// Whether a refresh can request a token for any of the client's `apis` that has
	// `allow_offline_access`, even one that was not requested at sign-in, like Auth0's
	// multi-resource refresh tokens (MRRT). Not for clients with `consent always`. Default:
	// false
	MultiResource bool `json:"multi_resource,omitempty"`
}

func (r *RefreshToken) options() grammar.Options {
	return grammar.Options{
		"rotation":       grammar.Switch(&r.Rotation),
		"leeway":         grammar.DurationFrom0(&r.Leeway),
		"lifetime":       lifetimeOption(&r.Lifetime),
		"idle_lifetime":  lifetimeOption(&r.IdleLifetime),
		"max_active":     grammar.Count(&r.MaxActive),
		"cookie":         grammar.Flag(&r.Cookie),
		"always":         grammar.Flag(&r.Always),
		"multi_resource": grammar.Flag(&r.MultiResource),
	}
}

// Check finds what the text shows to be wrong.
func (r *RefreshToken) Check() error {
	lifetime, idle, leeway := r.lifetime(), r.idleLifetime(), r.leeway()
	switch {
	case leeway < 0 || leeway > maxLeeway:
		return grammar.Wrong("leeway", "%s is out of range: take 0s (strict) to %s; longer gives a thief time", grammar.ShowDuration(leeway), grammar.ShowDuration(maxLeeway))
	case lifetime < Lifetime(minRefresh):
		return grammar.Wrong("lifetime", "%s is too short: take at least %s, or `infinite`", lifetime, grammar.ShowDuration(minRefresh))
	case idle < Lifetime(minRefresh):
		return grammar.Wrong("idle_lifetime", "%s is too short: take at least %s, or `infinite`", idle, grammar.ShowDuration(minRefresh))
	case idle > lifetime && idle != Infinite:
		return grammar.Wrong("idle_lifetime", "%s is longer than the lifetime of %s: shorten it, or raise the lifetime", idle, lifetime)
	case leeway >= time.Duration(min(idle, lifetime)):
		return grammar.Wrong("leeway", "%s is not shorter than the life of the token, %s: shorten it", grammar.ShowDuration(leeway), min(idle, lifetime))
	case r != nil && r.MaxActive > storage.MaxFamilies:
		return grammar.Wrong("max_active", "%d is more logins than one user may have in all: take %d or less", r.MaxActive, storage.MaxFamilies)
	case r != nil && r.MaxActive < 0:
		return grammar.Wrong("max_active", "%d is less than one login: take 1 or more", r.MaxActive)
	}
	return nil
}

func (r *RefreshToken) rotation() bool { return r == nil || r.Rotation == nil || *r.Rotation }

func (r *RefreshToken) cookie() bool { return r != nil && r.Cookie }

func (r *RefreshToken) leeway() time.Duration {
	if r == nil || r.Leeway == nil {
		return defaultLeeway
	}
	return time.Duration(*r.Leeway)
}

func (r *RefreshToken) lifetime() Lifetime {
	return cmp.Or(orZero(r).Lifetime, Lifetime(defaultRefreshLifetime))
}

func (r *RefreshToken) idleLifetime() Lifetime {
	return cmp.Or(orZero(r).IdleLifetime, min(Lifetime(defaultRefreshIdleLifetime), r.lifetime()))
}

func (r *RefreshToken) maxActive() int { return cmp.Or(orZero(r).MaxActive, defaultMaxActive) }

// core returns the policy as the core has it.
func (r *RefreshToken) core() clients.RefreshPolicy {
	return clients.RefreshPolicy{
		Rotation:      r.rotation(),
		Leeway:        r.leeway(),
		Lifetime:      r.lifetime().duration(),
		IdleLifetime:  r.idleLifetime().duration(),
		MaxActive:     r.maxActive(),
		Cookie:        r.cookie(),
		MultiResource: orZero(r).MultiResource,
		Always:        orZero(r).Always,
	}
}
