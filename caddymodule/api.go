package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
)

const defaultAccessTokenLifetime = 10 * time.Minute

// API is a resource server behind `bearer_auth`: what an access token is for.
type API struct {
	// The identifier of the API, which is the audience of its access tokens.
	// A URL is usual, but nothing is fetched from it. Default: none, it is required.
	Identifier string `json:"identifier,omitempty"`

	// The scopes that clients may ask for. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// Whether clients get refresh tokens for this API when they ask for the
	// scope `offline_access`. Default: false
	AllowOfflineAccess bool `json:"allow_offline_access,omitempty"`

	// How long an access token is good for, 10s to 24h. Default: 10m
	AccessTokenLifetime caddy.Duration `json:"access_token_lifetime,omitempty"`
}
