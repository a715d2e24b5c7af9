package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterDirective("bearer_auth", parseBearerAuth)
	// Behind rewrites: one would walk past a guard that stands ahead of it.
	httpcaddyfile.RegisterDirectiveOrder("bearer_auth", httpcaddyfile.Before, "basic_auth")
}

// parseBearerAuth sets up the guard from Caddyfile tokens.
func parseBearerAuth(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	guard := new(BearerAuth)
	if err := guard.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if err := firstOf(func() error { return checkInNamedRoute(h) }, func() error { return checkInvokes(h) }); err != nil {
		return nil, err
	}
	return guard.routesOf(h, matcher), nil
}

// UnmarshalCaddyfile sets up the guard from Caddyfile tokens. Syntax:
//
//	bearer_auth [<matcher>] {
//	    audience     <identifier...>
//	    scope        <scope...>
//	    scope_any    <scope...>
//	    claim        <claim> <value...>
//	    header       <name> <claim>
//	    acr          <value...>
//	    max_age      <duration>
//	    issuer       <url> {
//	        jwks_uri      <url>
//	        algorithms    <name...>
//	        audience      <identifier...>
//	        typ           JWT
//	        allow_private
//	        scope_claim   <claim...>
//	        subject_claim <claim>
//	        claims        <claim...>
//	        max_token_age <duration>
//	        origins       <origin...>
//	    }
//	    optional
//	    from         cookie <name>
//	    strip_token
//	    dpop         required
//	    dpop_origin  <origin...>
//	    cors         off
//	    metadata_url <url>
//	    realm        <text>
//	}
//
// audience, scope, scope_any, claim, header, acr, issuer and dpop_origin may be repeated.
func (b *BearerAuth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := newGrammar(d, "bearer_auth")
	if err := g.directive(b.options()); err != nil {
		return err
	}
	return g.located(b.Check())
}

func (b *BearerAuth) options() options {
	return options{
		"audience":     listOption(&b.Audience),
		"scope":        listOption(&b.Scopes),
		"scope_any":    listOption(&b.ScopeAny),
		"claim":        argsOption("<claim> <value...>", b.addClaim).repeated(),
		"header":       argsOption("<name> <claim>", b.addHeader).repeated(),
		"acr":          listOption(&b.ACR),
		"max_age":      durationOption(&b.MaxAge),
		"issuer":       {read: b.readIssuer, many: true},
		"optional":     flagOption(&b.Optional),
		"from":         argsOption("cookie <name>", b.setCookie),
		"strip_token":  flagOption(&b.StripToken),
		"dpop":         keywordOption("required", &b.DPoPRequired),
		"dpop_origin":  listOption(&b.DPoPOrigins),
		"cors":         keywordOption("off", &b.NoCORS),
		"metadata_url": stringOption(&b.MetadataURL),
		"realm":        stringOption(&b.Realm),
	}
}

func (b *BearerAuth) addClaim(args []string) error {
	b.Claims = append(b.Claims, ClaimRule{Claim: args[0], Values: args[1:]})
	return nil
}

func (b *BearerAuth) addHeader(args []string) error {
	b.Headers = append(b.Headers, ClaimHeader{Header: args[0], Claim: args[1]})
	return nil
}

func (b *BearerAuth) setCookie(args []string) error {
	if args[0] != "cookie" {
		return fmt.Errorf("%q is not a place for a token: write `from cookie <name>`", args[0])
	}
	b.Cookie = args[1]
	return nil
}

// readIssuer reads the block of another issuer, or its line alone.
func (b *BearerAuth) readIssuer(g *grammar) error {
	url, err := g.word()
	if err != nil {
		return err
	}
	issuer := &BearerIssuer{Issuer: url}
	b.Issuers = append(b.Issuers, issuer)
	return g.block(issuer.block(), issuer.options())
}

// Interface guards
var _ caddyfile.Unmarshaler = (*BearerAuth)(nil)
