package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
)

// The defaults of Denylist.
const (
	defaultCacheEntries = 1_000_000
	defaultMaxLag       = 10 * time.Second
)

// Denylist is how access tokens are refused that were revoked before their end.
type Denylist struct {
	// How many verdicts are held in memory. Default: 1000000
	CacheEntries int64 `json:"cache_entries,omitempty"`

	// The age, 1s to 5m, beyond which a verdict "not denied" is never trusted.
	// It bounds how long another node may let a revoked token pass when the
	// faster feed of revocations fails. Default: 10s
	MaxLag caddy.Duration `json:"max_lag,omitempty"`

	// When the store cannot be asked, trust verdicts up to this age instead of
	// answering 503. Tokens without a verdict get 503 all the same. In the Caddyfile:
	// `on_store_failure allow_stale <duration>`. Default: 0, which is `on_store_failure deny`
	AllowStale caddy.Duration `json:"allow_stale,omitempty"`
}
