package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// UnmarshalCaddyfile sets up the login from Caddyfile tokens and checks it. Syntax:
//
//	login oidc <name> <issuer> {
//	    label            <text>
//	    client_id        <id>
//	    client_secret    <value> [<other value>]
//	    client_key       <path> [<key_id>]
//	    client_team      <id>
//	    client_auth      basic | post | private_key_jwt | none
//	    scopes           <scope...>
//	    subject          <claim...>
//	    email            trusted
//	    email_domains    <domain...>
//	    groups_claim     <claim...>
//	    groups_as_sent
//	    groups_overage   graph
//	    claim            <ours> <theirs>
//	    acr              <ours> <theirs>
//	    allow            anyone
//	    allow            email_verified true
//	    allow            email|email_domain|group|sub <value...>
//	    allow            claim <name> <value...>
//	    recheck          <duration>
//	    recheck_grace    <duration>
//	    session_lifetime <duration>
//	    logout_upstream
//	    ca               <path>
//	    allow_private
//	    insecure
//	    endpoint         authorization|token|userinfo|jwks|end_session <url>
//	    parameter        <name> <value>
//	    response_mode    query | form_post
//	    prompts          <value...>
//	    algorithms       <name...>
//	    issuer_alias     <text>
//	    tenants          <id...>
//	    pkce             off
//	    nonce            off
//	    max_age          off
//	    userinfo         off
//	    issuer_check     off
//	}
//
// Instead of `oidc <name> <issuer>` there may be a preset, with the same options:
//
//	login apple    [<name>]
//	login auth0    <domain> [<name>]
//	login cognito  <issuer> [<name>]
//	login entra    <tenant> | common | organizations | consumers [<name>]
//	login gitlab   [<url>] [<name>]
//	login google   [<name>]
//	login keycloak <realm URL> [<name>]
//	login linkedin [<name>]
//	login okta     <issuer> [<name>]
//	login slack    [<name>]
func (l *OIDCLogin) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := grammar.NewReader(d, "login "+wordOf(d))
	preset := presets[g.Val()]
	if err := l.readArguments(g, preset); err != nil {
		return err
	}
	if err := g.NeedBlock(); err != nil {
		return err
	}
	if err := g.ReadBlock(l.block(), l.options()); err != nil {
		return err
	}
	if preset != nil {
		preset.fill(l)
	}
	return g.Located(grammar.Within(l.block(), l.Check()))
}

// wordOf is the word that the segment begins with, which the Reader steps on.
func wordOf(d *caddyfile.Dispenser) string {
	ahead := *d
	ahead.Next()
	return ahead.Val()
}

func (l *OIDCLogin) readArguments(g *grammar.Reader, preset *preset) error {
	if preset != nil {
		return preset.readArguments(g, l)
	}
	args := g.RemainingArgs()
	if len(args) != 2 || slices.Contains(args, "") {
		return g.Errorf(" takes a name and an issuer: write `login oidc company https://login.example.com/` (a {$NAME} that is not set leaves none)")
	}
	l.Name, l.Issuer = args[0], args[1]
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*OIDCLogin)(nil)
