package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
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
		Issuers: b.Issuers, DPoPRequired: b.DPoPRequired, SiteOnly: true,
	}
}

// siteParts are the guards of a configuration by what they do for the rest of
// their sites.
type siteParts map[string]*sitePart

type sitePart struct {
	guard  *guard.Guard
	guards int // how many have been provisioned
	sites  int // and how many handlers for the rest of the site
}

// siteKey is what a guard and its handler for the rest of the site have in common.
func (b *BearerAuth) siteKey() (string, error) {
	key, err := json.Marshal(b.siteOnly())
	if err != nil {
		return "", fmt.Errorf("bearer_auth: writing options: %w", err)
	}
	return string(key), nil
}

// addGuard notes a guard.
func (s *siteParts) addGuard(b *BearerAuth) error {
	key, err := b.siteKey()
	if err != nil {
		return err
	}
	if *s == nil {
		*s = make(siteParts)
	}
	if (*s)[key] == nil {
		(*s)[key] = &sitePart{guard: b.guard}
	}
	(*s)[key].guards++
	return nil
}

// guardBeside returns the guard that a handler for the rest of a site belongs to.
// Caddy provisions it first, since it stands first: where it is not there it was
// lost, and the site would be open.
func (s *siteParts) guardBeside(b *BearerAuth) (*guard.Guard, error) {
	key, err := b.siteKey()
	if err != nil {
		return nil, err
	}
	part := (*s)[key]
	if part == nil || part.sites >= part.guards {
		return nil, errors.New("bearer_auth: site_only: the guard that it belongs to is not ahead of it, and nothing would be guarded: " +
			"in JSON, leave site_only out; if this comes of a Caddyfile, write the directive without a matcher, inside of `handle`, and report it")
	}
	part.sites++
	return part.guard, nil
}
