package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
)

// The defaults of Signing.
const (
	defaultAccessTokenAlgorithm = "ES256"
	defaultIDTokenAlgorithm     = "RS256"
	defaultRotateEvery          = 90 * 24 * time.Hour
	defaultIDTokenLifetime      = 10 * time.Hour
)

// Signing is how tokens are signed. The keys are made, published before their
// use, rotated and dropped after the last token they signed, all on their own.
type Signing struct {
	// The algorithm of access tokens. Default: ES256
	AccessTokenAlgorithm string `json:"access_token_algorithm,omitempty"`

	// The algorithm of ID tokens. Default: RS256, the one that every client library knows
	IDTokenAlgorithm string `json:"id_token_algorithm,omitempty"`

	// How long a key signs. Default: 90d
	RotateEvery caddy.Duration `json:"rotate_every,omitempty"`

	// How long an ID token is good for. Default: 10h
	IDTokenLifetime caddy.Duration `json:"id_token_lifetime,omitempty"`
}
