package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
)

func init() {
	httpcaddyfile.RegisterDirective("require_login", parseRequireLogin)
	// Directly behind bearer_auth, which was put there before: Caddy knows its own names alone.
	httpcaddyfile.RegisterDirectiveOrder("require_login", httpcaddyfile.Before, "basic_auth")
}

// parseRequireLogin sets up the guard from Caddyfile tokens.
func parseRequireLogin(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	guard := new(RequireLogin)
	if err := guard.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if err := grammar.FirstOf(func() error { return checkInNamedRoute(h, "require_login") }, func() error { return checkInvokes(h) }); err != nil {
		return nil, err
	}
	var always caddy.ModuleMap
	if h.IsNamedRoute() { // see BearerAuth.routesOf
		always = caddy.ModuleMap{"path": h.JSON(caddyhttp.MatchPath{"*"})}
	}
	if matcher == nil {
		return h.NewRoute(always, guard), nil
	}
	return slices.Concat(h.NewRoute(matcher, guard), h.NewRoute(always, guard.siteOnly())), nil
}

// siteOnly returns the handler for the rest of the site.
func (l *RequireLogin) siteOnly() *RequireLogin {
	return &RequireLogin{
		Origins: l.Origins, For: l.For, Logins: l.Logins, Headers: l.Headers, Presets: l.Presets, UpstreamToken: l.UpstreamToken,
		Lifetime: l.Lifetime, IdleLifetime: l.IdleLifetime, SiteOnly: true,
	}
}

// siteKey is what a guard and its handler for the rest of the site have in common.
func (l *RequireLogin) siteKey() (string, error) {
	key, err := json.Marshal(l.siteOnly())
	if err != nil {
		return "", fmt.Errorf("require_login: writing options: %w", err)
	}
	return "require_login " + string(key), nil
}

// UnmarshalCaddyfile sets up the guard from Caddyfile tokens. Syntax:
//
//	require_login [<matcher>] {
//	    origin         <origin...>
//	    for            <group...>
//	    logins         <name...>
//	    public         assets|<path...>
//	    header         <name> <claim> [percent|raw|latin1]
//	    headers        grafana|gitea|remote|forwarded
//	    upstream_token <api> [<scope...>] [in <header>]
//	    bearer         <api>
//	    keys
//	    lifetime       <duration>
//	    idle_lifetime  <duration>
//	    activity       any|people
//	    acr            <value...>
//	    max_age        <duration>
//	    allow_origins  <origin...>
//	    start          page|redirect
//	    cache          private|keep
//	    streams        until_expiry|until_revoked|keep
//	}
//
// origin, for, logins, public, header, headers, acr and allow_origins may be repeated (of each line of for
// one group is enough, and each line has to hold).
func (l *RequireLogin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := grammar.NewReader(d, "require_login")
	if err := g.ReadDirective(l.options()); err != nil {
		return err
	}
	return g.Located(l.Check())
}

func (l *RequireLogin) options() grammar.Options {
	return grammar.Options{
		"origin":         grammar.List(&l.Origins),
		"for":            grammar.Lines(&l.For),
		"logins":         grammar.List(&l.Logins),
		"public":         grammar.Args("assets|<path...>", l.addPublic).Repeated(),
		"header":         grammar.Args("<name> <claim> [<encoding>]", l.addHeader).Repeated(),
		"headers":        grammar.List(&l.Presets),
		"upstream_token": grammar.Args("<api> [<scope...>]", l.setUpstreamToken),
		"bearer":         grammar.String(&l.Bearer),
		"keys":           grammar.Flag(&l.Keys),
		"lifetime":       grammar.Duration(&l.Lifetime),
		"idle_lifetime":  grammar.DurationFrom0(&l.IdleLifetime),
		"activity":       grammar.String(&l.Activity),
		"acr":            grammar.List(&l.ACR),
		"max_age":        grammar.Duration(&l.MaxAge),
		"allow_origins":  grammar.List(&l.AllowOrigins),
		"start":          grammar.String(&l.Start),
		"cache":          grammar.String(&l.Cache),
		"streams":        grammar.String(&l.Streams),
	}
}

func (l *RequireLogin) addPublic(args []string) error {
	for _, arg := range args {
		if arg == "assets" {
			l.PublicAssets = true
			continue
		}
		l.Public = append(l.Public, arg)
	}
	return nil
}

func (l *RequireLogin) addHeader(args []string) error {
	header := ClaimHeader{Header: args[0], Claim: args[1]}
	if len(args) > 2 {
		header.Encoding = identity.Encoding(args[2])
	}
	l.Headers = append(l.Headers, header)
	return nil
}

// setUpstreamToken reads an API, scopes, and the header that takes the token.
func (l *RequireLogin) setUpstreamToken(args []string) error {
	l.UpstreamToken = &SiteToken{API: args[0]}
	scopes := args[1:]
	if i := slices.Index(scopes, "in"); i >= 0 {
		if len(scopes) != i+2 {
			return fmt.Errorf("name one header behind `in`: write `upstream_token %s … in X-Access-Token`", args[0])
		}
		l.UpstreamToken.Header, scopes = scopes[i+1], scopes[:i]
	}
	if len(scopes) > 0 {
		l.UpstreamToken.Scopes = scopes
	}
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*RequireLogin)(nil)
