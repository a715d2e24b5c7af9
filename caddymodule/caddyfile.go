package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("oauth", parseOAuth)
}

// parseOAuth reads the global option `oauth` into the app of that name.
func parseOAuth(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next()
		return nil, d.Err("duplicate option oauth: put all options in one block")
	}
	a := new(App)
	if err := a.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "oauth", Value: caddyconfig.JSON(a, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens and checks it. Syntax:
//
//	oauth {
//	    issuer <url>
//	    previous_issuer <url>
//	    secret <value> [<older value>...]
//	    store <module> ...
//	    denylist {
//	        cache_entries    <number>
//	        max_lag          <duration>
//	        on_store_failure deny | allow_stale <duration>
//	    }
//	    token_cache <size>
//	    dpop {
//	        require_nonce
//	    }
//	    signing {
//	        access_token_algorithm <name>
//	        id_token_algorithm     <name>
//	        id_token_lifetime      <duration>
//	        rotate_every           <duration>
//	    }
//	    session {
//	        lifetime      <duration>
//	        idle_lifetime <duration>
//	    }
//	    theme {
//	        name  <text>
//	        logo  <path>
//	        color "<#rrggbb>"
//	    }
//	    login <module> ...
//	    api <identifier> {
//	        scopes <scope...>
//	        default
//	        allow_offline_access
//	        access_token_lifetime <duration>
//	    }
//	    client <id> {
//	        type          spa | native | web | machine
//	        name          <text>
//	        redirect_uris <uri...>
//	        logout_uris   <uri...>
//	        device_code
//	        origins       <origin...>
//	        apis          <identifier...>
//	        scopes        <scope...>
//	        secret_hash   <hash>
//	        public_key    <PEM | JWK>
//	        jwks_uri      <url>
//	        jwks_allow_private
//	        assertion_algorithm <name>
//	        consent       always | never | auto
//	        oidc_conformant    on | off
//	        pkce               on | off
//	        id_token_algorithm <name>
//	        dpop          required
//	        mtls          bound
//	        mtls {
//	            bound
//	            subject     <name>
//	            san_dns     <name>
//	            san_uri     <uri>
//	            san_ip      <address>
//	            san_email   <address>
//	            fingerprint <sha256...>
//	        }
//	        refresh_token {
//	            rotation      on | off
//	            leeway        <duration>
//	            lifetime      <duration> | infinite
//	            idle_lifetime <duration> | infinite
//	            max_active    <number>
//	            cookie
//	        }
//	    }
//	}
//
// Options with several values, `login`, `api`, `client`, `secret_hash` and `public_key` may be
// repeated. What they mean and their defaults stand at the fields of App.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := newGrammar(d, "oauth")
	if err := g.directive(a.options()); err != nil {
		return err
	}
	return g.located(a.Check())
}

func (a *App) options() options {
	return options{
		"issuer":          stringOption(&a.Issuer),
		"previous_issuer": stringOption(&a.PreviousIssuer),
		"secret":          {read: func(g *grammar) (err error) { a.Secrets, err = g.words(); return err }},
		"store":           {read: a.readStore},
		"denylist":        blockOption(&a.Denylist, (*Denylist).options),
		"token_cache":     sizeOption(&a.TokenCache),
		"dpop":            blockOption(&a.DPoP, (*DPoP).options),
		"signing":         blockOption(&a.Signing, (*Signing).options),
		"session":         blockOption(&a.Session, (*Session).options),
		"theme":           blockOption(&a.Theme, (*Theme).options),
		"login":           {read: a.readLogin, many: true},
		"api":             {read: a.readAPI, many: true},
		"client":          {read: a.readClient, many: true},
	}
}

func (a *App) readStore(g *grammar) (err error) {
	a.StoreRaw, err = g.module("oauth.stores", func(json.RawMessage) string { return "store" })
	return err
}

func (a *App) readLogin(g *grammar) error {
	raw, err := g.module("oauth.logins", func(raw json.RawMessage) string { return "login " + nameOfLogin(raw) })
	a.LoginsRaw = append(a.LoginsRaw, raw)
	return err
}

func (a *App) readAPI(g *grammar) error {
	if !g.NextArg() {
		return g.missing()
	}
	api := &API{Identifier: g.Val()}
	a.APIs = append(a.APIs, api)
	if err := g.end(); err != nil {
		return err
	}
	return g.block(api.block(), api.options())
}

func (a *App) readClient(g *grammar) error {
	if !g.NextArg() {
		return g.missing()
	}
	c := &Client{ID: g.Val()}
	a.Clients = append(a.Clients, c)
	if err := g.needBlock(); err != nil {
		return err
	}
	return g.block(c.block(), c.options())
}

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
