package caddymodule

import (
	"cmp"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
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

// Denylist is how access tokens are refused that were revoked before they expired.
type Denylist struct {
	// How many verdicts are kept in memory. Default: 1000000
	CacheEntries int64 `json:"cache_entries,omitempty"`

	// The age, from 1s to 5m, beyond which a "not denied" verdict is never trusted. It limits
	// how long another node can let a revoked token pass if the faster feed of revocations
	// fails. Use the same value on all gateways. Default: 10s
	MaxLag caddy.Duration `json:"max_lag,omitempty"`

	// If the store cannot be asked, trust verdicts up to this age instead of answering 503.
	// Tokens without a verdict still get a 503. In the Caddyfile:
	// `on_store_failure allow_stale <duration>`. Default: 0, which is `on_store_failure deny`
	AllowStale caddy.Duration `json:"allow_stale,omitempty"`
}

func (l *Denylist) options() grammar.Options {
	return grammar.Options{
		"cache_entries":    grammar.Count(&l.CacheEntries),
		"max_lag":          grammar.Duration(&l.MaxLag),
		"on_store_failure": {Read: l.readOnStoreFailure},
	}
}

func (l *Denylist) readOnStoreFailure(g *grammar.Reader) error {
	if !g.NextArg() {
		return g.Missing()
	}
	switch g.Val() {
	case "deny":
		return g.End()
	case "allow_stale":
		g.Name = "on_store_failure allow_stale"
		return grammar.Duration(&l.AllowStale).Read(g)
	}
	return g.Errorf(": %q is not known: write deny, or allow_stale with a duration", g.Val())
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
		return grammar.Wrong("cache_entries", "%d is less than nothing: leave it out for %d", l.CacheEntries, defaultCacheEntries)
	case l.CacheEntries > 0 && l.CacheEntries < minCacheEntries:
		return grammar.Wrong("cache_entries", "%d is too few to be of use: take at least %d", l.CacheEntries, minCacheEntries)
	case l.CacheEntries > maxCacheEntries:
		return grammar.Wrong("cache_entries", "%d is more than memory can be given for: take at most %d", l.CacheEntries, maxCacheEntries)
	case maxLag < minMaxLag || maxLag > maxMaxLag:
		return grammar.Wrong("max_lag", "%s is out of range: take %s to %s", grammar.ShowDuration(maxLag), grammar.ShowDuration(minMaxLag), grammar.ShowDuration(maxMaxLag))
	case stale < 0 || stale > maxStale:
		return grammar.Wrong("on_store_failure", "allow_stale %s is out of range: take max_lag (%s) to %s, or `on_store_failure deny`",
			grammar.ShowDuration(stale), grammar.ShowDuration(maxLag), grammar.ShowDuration(maxStale))
	case stale > 0 && stale < maxLag:
		return grammar.Wrong("on_store_failure", "allow_stale %s is less than max_lag %s, which is trusted in any case: take more, or `on_store_failure deny`",
			grammar.ShowDuration(stale), grammar.ShowDuration(maxLag))
	}
	return nil
}

func (l *Denylist) cacheEntries() int64 {
	return cmp.Or(orZero(l).CacheEntries, defaultCacheEntries)
}

func (l *Denylist) maxLag() time.Duration {
	return cmp.Or(time.Duration(orZero(l).MaxLag), defaultMaxLag)
}

func (l *Denylist) allowStale() time.Duration { return time.Duration(orZero(l).AllowStale) }
