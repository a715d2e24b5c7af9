package caddymodule

import (
	"math"

	"github.com/dustin/go-humanize"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// minTokenCache is the least that is of use: some hundred tokens.
const minTokenCache = 1 << 20

// maxTokenCache is more than any gateway has tokens for. A slip of a unit beyond
// it would end Caddy at once: the cache's counters are made at the start.
const maxTokenCache = 64 << 30

// checkTokenCache checks the option token_cache.
func (a *App) checkTokenCache() error {
	if a.TokenCache != 0 && a.TokenCache < minTokenCache {
		return wrong("token_cache", "%d bytes hold too few tokens to be of use: take at least 1MiB, or leave it out for %s",
			a.TokenCache, humanize.IBytes(tokens.DefaultCacheBytes))
	}
	if a.TokenCache > maxTokenCache {
		return wrong("token_cache", "%d bytes are more than it can be given: take at most 64GiB", a.TokenCache)
	}
	return nil
}

// tokenCache returns the bound in bytes.
func (a *App) tokenCache() int64 {
	if a.TokenCache == 0 {
		return tokens.DefaultCacheBytes
	}
	return a.TokenCache
}

// sizeOption is an option with a size of memory, such as 64MiB.
func sizeOption(target *int64) option {
	return option{read: func(g *grammar) error {
		word, err := g.word()
		if err != nil {
			return err
		}
		n, err := humanize.ParseBytes(word)
		if err != nil || n == 0 || n > math.MaxInt64 {
			return g.Errf("%s%s: %q is not a size: write one such as 64MiB", g.prefix(), g.name, word)
		}
		*target = int64(n)
		return nil
	}}
}
