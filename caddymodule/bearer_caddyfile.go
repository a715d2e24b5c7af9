package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
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
	d.Next() // the name of the directive
	directive := *d
	if d.NextArg() {
		return d.Errf("bearer_auth: unexpected argument %q: it takes a block only", d.Val())
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		option := d.Val()
		if err := b.unmarshalOption(d); err != nil {
			return err
		}
		if seen[option] && !bearerOptions[option].many {
			return d.Errf("%s: it is there already", option)
		}
		seen[option] = true
		if err := b.checkOptions(); err != nil {
			return d.WrapErr(err)
		}
	}
	if err := b.Check(); err != nil {
		return directive.WrapErr(err)
	}
	return nil
}

// bearerOption is one option of the block.
type bearerOption struct {
	usage string // the option with its arguments
	many  bool   // it may be repeated and adds up
	set   func(b *BearerAuth, args []string) error
}

var bearerOptions = map[string]bearerOption{
	"audience":  {"audience <identifier...>", true, func(b *BearerAuth, args []string) error { b.Audience = append(b.Audience, args...); return nil }},
	"scope":     {"scope <scope...>", true, func(b *BearerAuth, args []string) error { b.Scopes = append(b.Scopes, args...); return nil }},
	"scope_any": {"scope_any <scope...>", true, func(b *BearerAuth, args []string) error { b.ScopeAny = append(b.ScopeAny, args...); return nil }},
	"claim": {"claim <claim> <value...>", true, func(b *BearerAuth, args []string) error {
		b.Claims = append(b.Claims, ClaimRule{Claim: args[0], Values: args[1:]})
		return nil
	}},
	"header": {"header <name> <claim>", true, func(b *BearerAuth, args []string) error {
		b.Headers = append(b.Headers, ClaimHeader{Header: args[0], Claim: args[1]})
		return nil
	}},
	"acr": {"acr <value...>", true, func(b *BearerAuth, args []string) error { b.ACR = append(b.ACR, args...); return nil }},
	"max_age": {"max_age <duration>", false, func(b *BearerAuth, args []string) error {
		d, err := caddy.ParseDuration(args[0])
		if err != nil || d <= 0 {
			return fmt.Errorf("max_age: %q is not a time since a login: write it as 10m, 12h or 30d", args[0])
		}
		b.MaxAge = caddy.Duration(d)
		return nil
	}},
	"issuer":   {usage: "issuer <url>", many: true}, // read by unmarshalIssuer
	"optional": {"optional", false, func(b *BearerAuth, _ []string) error { b.Optional = true; return nil }},
	"from": {"from cookie <name>", false, func(b *BearerAuth, args []string) error {
		if args[0] != "cookie" {
			return fmt.Errorf("from: %q is not a place for a token; write: from cookie <name>", args[0])
		}
		b.Cookie = args[1]
		return nil
	}},
	"strip_token": {"strip_token", false, func(b *BearerAuth, _ []string) error { b.StripToken = true; return nil }},
	"dpop": {"dpop required", false, func(b *BearerAuth, args []string) error {
		if args[0] != "required" {
			return errors.New("dpop: write: dpop required (bound tokens pass without it, too)")
		}
		b.DPoPRequired = true
		return nil
	}},
	"dpop_origin": {"dpop_origin <origin...>", true, func(b *BearerAuth, args []string) error {
		b.DPoPOrigins = append(b.DPoPOrigins, args...)
		return nil
	}},
	"cors": {"cors off", false, func(b *BearerAuth, args []string) error {
		if args[0] != "off" {
			return errors.New("cors: write: cors off (it is on by default)")
		}
		b.NoCORS = true
		return nil
	}},
	"metadata_url": {"metadata_url <url>", false, func(b *BearerAuth, args []string) error { b.MetadataURL = args[0]; return nil }},
	"realm":        {"realm <text>", false, func(b *BearerAuth, args []string) error { b.Realm = args[0]; return nil }},
}

// unmarshalOption reads one option.
func (b *BearerAuth) unmarshalOption(d *caddyfile.Dispenser) error {
	name := d.Val()
	option, known := bearerOptions[name]
	if !known {
		return d.Errf("unrecognized option of bearer_auth: %q (there are: %s)", name, strings.Join(slices.Sorted(maps.Keys(bearerOptions)), ", "))
	}
	if name == "issuer" {
		return b.unmarshalIssuer(d)
	}
	args := d.RemainingArgs()
	switch want := len(strings.Fields(option.usage)) - 1; {
	case want == 0 && len(args) > 0:
		return d.Errf("%s: it takes no argument", name)
	case len(args) < want:
		return d.Errf("%s: an argument is missing; write: %s", name, option.usage)
	case len(args) > want && !strings.Contains(option.usage, "..."):
		return d.Errf("%s: an argument too many; write: %s", name, option.usage)
	case slices.Contains(args, ""):
		return d.Errf("%s: an argument is empty; write: %s", name, option.usage)
	case d.NextBlock(d.Nesting()):
		return d.Errf("%s: it takes no block; write: %s", name, option.usage)
	}
	if err := option.set(b, args); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// unmarshalIssuer reads the block of another issuer, or its line alone.
func (b *BearerAuth) unmarshalIssuer(d *caddyfile.Dispenser) error {
	g := newGrammar(d)
	g.name = d.Val()
	url, err := g.word()
	if err != nil {
		return err
	}
	issuer := &BearerIssuer{Issuer: url}
	b.Issuers = append(b.Issuers, issuer)
	if err := g.block(issuer.block(), issuer.options()); err != nil {
		return err
	}
	return g.located(b.checkIssuers())
}

// Interface guards
var _ caddyfile.Unmarshaler = (*BearerAuth)(nil)
