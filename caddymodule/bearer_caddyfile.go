package caddymodule

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/handler"
)

func init() {
	httpcaddyfile.RegisterDirective("bearer_auth", parseBearerAuth)
	// Behind rewrites: one would walk past a guard that stands ahead of it.
	httpcaddyfile.RegisterDirectiveOrder("bearer_auth", httpcaddyfile.Before, "basic_auth")
}

// parseBearerAuth sets up the guard from Caddyfile tokens, and a route for its
// RFC 9728 document; see BearerAuth.MetadataOnly.
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
	document := &BearerAuth{
		Audience: guard.Audience, Scopes: guard.Scopes, ScopeAny: guard.ScopeAny, MetadataOnly: true,
	}
	// The document of a resource with a path has that path behind its own (RFC 9728 §3.1).
	asked := caddy.ModuleMap{"vars_regexp": h.JSON(map[string]any{
		"{http.request.orig_uri.path}": map[string]string{
			"pattern": "^" + regexp.QuoteMeta(handler.ResourceMetadataPath) + "(/|$)",
		},
	})}
	return slices.Concat(h.NewRoute(asked, document), h.NewRoute(matcher, guard)), nil
}

// UnmarshalCaddyfile sets up the guard from Caddyfile tokens. Syntax:
//
//	bearer_auth [<matcher>] {
//	    audience     <identifier...>
//	    scope        <scope...>
//	    scope_any    <scope...>
//	    claim        <claim> <value...>
//	    header       <name> <claim>
//	    optional
//	    from         cookie <name>
//	    strip_token
//	    cors         off
//	    metadata_url <url>
//	    realm        <text>
//	}
//
// audience, scope, scope_any, claim and header may be repeated.
func (b *BearerAuth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the directive
	directive := *d
	if d.NextArg() {
		return d.Errf("bearer_auth: unexpected argument %q: it takes a block only", d.Val())
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		option := d.Val()
		if err := b.unmarshalOption(d, option); err != nil {
			return err
		}
		if seen[option] && !slices.Contains(repeatable, option) {
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

// repeatable are the options that add up.
var repeatable = []string{"audience", "scope", "scope_any", "claim", "header"}

// usage shows each option with its arguments.
var usage = map[string]string{
	"audience":     "audience <identifier...>",
	"scope":        "scope <scope...>",
	"scope_any":    "scope_any <scope...>",
	"claim":        "claim <claim> <value...>",
	"header":       "header <name> <claim>",
	"optional":     "optional",
	"from":         "from cookie <name>",
	"strip_token":  "strip_token",
	"cors":         "cors off",
	"metadata_url": "metadata_url <url>",
	"realm":        "realm <text>",
}

func (b *BearerAuth) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	pattern, known := usage[option]
	if !known {
		return d.Errf("unrecognized option of bearer_auth: %q (there are: %s)", option, strings.Join(slices.Sorted(maps.Keys(usage)), ", "))
	}
	args := d.RemainingArgs()
	switch want := len(strings.Fields(pattern)) - 1; {
	case want == 0 && len(args) > 0:
		return d.Errf("%s: it takes no argument", option)
	case len(args) < want:
		return d.Errf("%s: an argument is missing; write: %s", option, pattern)
	case len(args) > want && !strings.Contains(pattern, "..."):
		return d.Errf("%s: an argument too many; write: %s", option, pattern)
	}
	if slices.Contains(args, "") {
		return d.Errf("%s: an argument is empty; write: %s", option, pattern)
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("%s: it takes no block; write: %s", option, pattern)
	}
	switch option {
	case "audience":
		b.Audience = append(b.Audience, args...)
	case "scope":
		b.Scopes = append(b.Scopes, args...)
	case "scope_any":
		b.ScopeAny = append(b.ScopeAny, args...)
	case "claim":
		b.Claims = append(b.Claims, ClaimRule{Claim: args[0], Values: args[1:]})
	case "header":
		b.Headers = append(b.Headers, ClaimHeader{Header: args[0], Claim: args[1]})
	case "optional":
		b.Optional = true
	case "from":
		if args[0] != "cookie" {
			return d.Errf("from: %q is not a place for a token; write: %s", args[0], pattern)
		}
		b.Cookie = args[1]
	case "strip_token":
		b.StripToken = true
	case "cors":
		if args[0] != "off" {
			return d.Errf("cors: write: %s (it is on by default)", pattern)
		}
		b.NoCORS = true
	case "metadata_url":
		b.MetadataURL = args[0]
	case "realm":
		b.Realm = args[0]
	}
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*BearerAuth)(nil)
