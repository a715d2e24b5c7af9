package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// routesOf returns the routes of a guard.
//
// Without a matcher it is one handler that does everything. With one, the guard
// stands in a route with that matcher, which Caddy asks when and as it asks that
// of any other directive (a `uri @api strip_prefix` ahead of it, say, is in the
// same route then), and a second handler does for the rest of the site what is
// left: see BearerAuth.SiteOnly.
//
// In a named route (`&(auth) { … }`) neither route is without a matcher: Caddy joins
// routes without one, and of a named route that becomes a single one it keeps the
// first handler alone. Elsewhere it keeps all, and joined routes cost a request less.
func (b *BearerAuth) routesOf(h httpcaddyfile.Helper, matcher caddy.ModuleMap) []httpcaddyfile.ConfigValue {
	var always caddy.ModuleMap
	if h.IsNamedRoute() {
		always = caddy.ModuleMap{"path": h.JSON(caddyhttp.MatchPath{"*"})}
	}
	if matcher == nil {
		return h.NewRoute(always, b)
	}
	return slices.Concat(h.NewRoute(matcher, b), h.NewRoute(always, b.siteOnly()))
}

// siteOnly returns the handler for the rest of the site.
func (b *BearerAuth) siteOnly() *BearerAuth {
	return &BearerAuth{
		Audience: b.Audience, Scopes: b.Scopes, ScopeAny: b.ScopeAny, Headers: b.Headers,
		Issuers: b.Issuers, DPoPRequired: b.DPoPRequired, MCP: b.MCP, SiteOnly: true,
	}
}

// siteKey is what a guard and its handler for the rest of the site have in common.
func (b *BearerAuth) siteKey() (string, error) {
	key, err := json.Marshal(b.siteOnly())
	if err != nil {
		return "", fmt.Errorf("bearer_auth: writing options: %w", err)
	}
	return string(key), nil
}
