package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
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
	if err := grammar.FirstOf(func() error { return checkInNamedRoute(h, "bearer_auth") }, func() error { return checkInvokes(h) }); err != nil {
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
//	    for          <group...>
//	    header       <name> <claim> [percent|raw|latin1]
//	    acr          <value...>
//	    max_age      <duration>
//	    issuer       <url> {
//	        jwks_uri          <url>
//	        jwks_file         <path>
//	        public_key        <PEM or JWK>
//	        jwks_header       <name> <value>
//	        ca                <path>
//	        allow_private
//	        tenants           <id...>
//	        algorithms        <name...>
//	        typ               JWT
//	        allow_id_tokens
//	        audience          <identifier...>
//	        audience_claim    <claim...>
//	        scope_claim       <claim...>
//	        subject_claim     <claim...>
//	        claims            <claim...>
//	        max_token_age     <duration>
//	        max_token_size    <size>
//	        max_token_members <number>
//	        leeway            <duration>
//	        origins           <origin...>
//	    }
//	    optional
//	    from         cookie|header <name>
//	    strip_token
//	    dpop         required
//	    dpop_origin  <origin...>
//	    cors         off
//	    metadata_url <url>
//	    mcp
//	    realm        <text>
//	    streams      until_expiry|until_revoked|keep
//	}
//
// audience, scope, scope_any, claim, for, header, acr, issuer and dpop_origin may be
// repeated (of each line of for one group is enough, and each line has to hold), and so may from, once for each place.
func (b *BearerAuth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := grammar.NewReader(d, "bearer_auth")
	if err := g.ReadDirective(b.options()); err != nil {
		return err
	}
	return g.Located(b.Check())
}

func (b *BearerAuth) options() grammar.Options {
	return grammar.Options{
		"audience":     grammar.List(&b.Audience),
		"scope":        grammar.List(&b.Scopes),
		"scope_any":    grammar.List(&b.ScopeAny),
		"claim":        grammar.Args("<claim> <value...>", b.addClaim).Repeated(),
		"for":          grammar.Lines(&b.For),
		"header":       grammar.Args("<name> <claim> [<encoding>]", b.addHeader).Repeated(),
		"acr":          grammar.List(&b.ACR),
		"max_age":      grammar.Duration(&b.MaxAge),
		"issuer":       {Read: b.readIssuer, Many: true},
		"optional":     grammar.Flag(&b.Optional),
		"from":         grammar.Args("cookie|header <name>", b.addPlace).Repeated(),
		"strip_token":  grammar.Flag(&b.StripToken),
		"dpop":         grammar.Keyword("required", &b.DPoPRequired),
		"dpop_origin":  grammar.List(&b.DPoPOrigins),
		"cors":         grammar.Keyword("off", &b.NoCORS),
		"metadata_url": grammar.String(&b.MetadataURL),
		"mcp":          grammar.Flag(&b.MCP),
		"realm":        grammar.String(&b.Realm),
		"streams":      grammar.String(&b.Streams),
	}
}

func (b *BearerAuth) addClaim(args []string) error {
	b.Claims = append(b.Claims, ClaimRule{Claim: args[0], Values: args[1:]})
	return nil
}

func (b *BearerAuth) addHeader(args []string) error {
	header := ClaimHeader{Header: args[0], Claim: args[1]}
	if len(args) > 2 {
		header.Encoding = identity.Encoding(args[2])
	}
	b.Headers = append(b.Headers, header)
	return nil
}

// addPlace reads where a token may be.
func (b *BearerAuth) addPlace(args []string) error {
	place := &b.Cookie
	switch args[0] {
	case "cookie":
	case "header":
		place = &b.TokenHeader
	default:
		return fmt.Errorf("%q is not a place for a token: write `from cookie <name>` or `from header <name>`", args[0])
	}
	if *place != "" {
		return fmt.Errorf("there is a %s already, %s: keep one", args[0], *place)
	}
	*place = args[1]
	return nil
}

// readIssuer reads the block of another issuer, or its line alone.
func (b *BearerAuth) readIssuer(g *grammar.Reader) error {
	url, err := g.Word()
	if err != nil {
		return err
	}
	issuer := &BearerIssuer{Issuer: url}
	b.Issuers = append(b.Issuers, issuer)
	return g.ReadBlock(issuer.block(), issuer.options())
}

// Interface guards
var _ caddyfile.Unmarshaler = (*BearerAuth)(nil)
