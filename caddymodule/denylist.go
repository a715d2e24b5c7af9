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

// The limits of Denylist.
const (
	minCacheEntries = 1000
	maxCacheEntries = 100_000_000 // its counters alone are half a gigabyte
	minMaxLag       = time.Second
	maxMaxLag       = 5 * time.Minute
	maxStale        = time.Hour
)

// Denylist is how access tokens are refused that were revoked before their end.
type Denylist struct {
	// How many verdicts are held in memory. Default: 1000000
	CacheEntries int64 `json:"cache_entries,omitempty"`

	// The age, 1s to 5m, beyond which a verdict "not denied" is never trusted.
	// It bounds how long another node may let a revoked token pass when the
	// faster feed of revocations fails. Several gateways have the same. Default: 10s
	MaxLag caddy.Duration `json:"max_lag,omitempty"`

	// When the store cannot be asked, trust verdicts up to this age instead of
	// answering 503. Tokens without a verdict get 503 all the same. In the Caddyfile:
	// `on_store_failure allow_stale <duration>`. Default: 0, which is `on_store_failure deny`
	AllowStale caddy.Duration `json:"allow_stale,omitempty"`
}

func (l *Denylist) options() options {
	return options{
		"cache_entries":    countOption(&l.CacheEntries),
		"max_lag":          durationOption(&l.MaxLag),
		"on_store_failure": {read: l.readOnStoreFailure},
	}
}

func (l *Denylist) readOnStoreFailure(g *grammar) error {
	if !g.NextArg() {
		return g.missing()
	}
	switch g.Val() {
	case "deny":
		return g.end()
	case "allow_stale":
		g.name = "on_store_failure allow_stale"
		d, err := g.duration()
		l.AllowStale = caddy.Duration(d)
		return err
	}
	return g.errorf(": %q is not known: write deny, or allow_stale with a duration", g.Val())
}

// Check finds what the text shows to be wrong.
func (l *Denylist) Check() error {
	if l == nil {
		return nil
	}
	maxLag := l.maxLag()
	stale := time.Duration(l.AllowStale)
	switch {
	case l.CacheEntries < 0:
		return wrong("cache_entries", "%d is less than nothing: leave it out for %d", l.CacheEntries, defaultCacheEntries)
	case l.CacheEntries > 0 && l.CacheEntries < minCacheEntries:
		return wrong("cache_entries", "%d is too few to be of use: take at least %d", l.CacheEntries, minCacheEntries)
	case l.CacheEntries > maxCacheEntries:
		return wrong("cache_entries", "%d is more than memory can be given for: take at most %d", l.CacheEntries, maxCacheEntries)
	case maxLag < minMaxLag || maxLag > maxMaxLag:
		return wrong("max_lag", "%s is out of range: take %s to %s", show(maxLag), show(minMaxLag), show(maxMaxLag))
	case stale < 0 || stale > maxStale:
		return wrong("on_store_failure", "allow_stale %s is out of range: take max_lag (%s) to %s, or `on_store_failure deny`",
			show(stale), show(maxLag), show(maxStale))
	case stale > 0 && stale < maxLag:
		return wrong("on_store_failure", "allow_stale %s is less than max_lag %s, which is trusted in any case: take more, or `on_store_failure deny`",
			show(stale), show(maxLag))
	}
	return nil
}

func (l *Denylist) cacheEntries() int64 {
	if l == nil || l.CacheEntries == 0 {
		return defaultCacheEntries
	}
	return l.CacheEntries
}

func (l *Denylist) maxLag() time.Duration {
	if l == nil || l.MaxLag == 0 {
		return defaultMaxLag
	}
	return time.Duration(l.MaxLag)
}

func (l *Denylist) allowStale() time.Duration {
	if l == nil {
		return 0
	}
	return time.Duration(l.AllowStale)
}
