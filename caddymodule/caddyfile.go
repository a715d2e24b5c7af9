package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
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
//	        name    <text>
//	        logo    <path>
//	        color   "<#rrggbb>"
//	        favicon <path>
//	        help    <url>
//	        privacy <url>
//	        folder  <path>
//	    }
//	    login <module> ...
//	    group <name> {
//	        from   <login> <theirs...>
//	        member <subject...>
//	    }
//	    api <identifier> {
//	        scopes <scope...>
//	        scope  <scope> {
//	            text <text>
//	            for  <group...>
//	        }
//	        token_claims groups | <claim> ...
//	        default
//	        allow_offline_access
//	        access_token_lifetime <duration>
//	        token_profile     rfc9068 | auth0
//	        signing_algorithm <name>
//	    }
//	    client <id> {
//	        type          spa | native | web | machine
//	        name          <text>
//	        redirect_uris <uri...>
//	        logout_uris   <uri...>
//	        device_code
//	        insecure_redirects
//	        origins       <origin...>
//	        apis          <identifier...>
//	        scopes        <scope...>
//	        default_scopes <scope...>
//	        logins        <name...>
//	        for           <group...>
//	        serves        <identifier...>
//	        client_credentials
//	        secret_hash   <hash>
//	        public_key    <PEM | JWK>
//	        jwks_uri      <url>
//	        jwks_allow_private
//	        assertion_algorithm <name>
//	        assertion_audience issuer
//	        consent       always | never | auto
//	        oidc_conformant    on | off
//	        pkce               required
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
//	            always
//	        }
//	    }
//	    client_registration {
//	        access         open | token <value>
//	        redirect_hosts <host...>
//	        apis           <identifier...>
//	        scopes         <scope...>
//	        leeway         <duration>
//	        on_reuse       revoke | refuse
//	        lifetime       <duration> | infinite
//	        idle_lifetime  <duration> | infinite
//	    }
//	    client_documents {
//	        allow          any | <url...>
//	        document       <url> <file>
//	        allow_private
//	        ca             <path>
//	        redirect_hosts <host...>
//	        apis           <identifier...>
//	        scopes         <scope...>
//	        leeway         <duration>
//	        on_reuse       revoke | refuse
//	        lifetime       <duration> | infinite
//	        idle_lifetime  <duration> | infinite
//	    }
//	}
//
// Options with several values, `login`, `group`, `api`, `client`, `secret_hash` and `public_key` may be
// repeated. A further line of `for` has to hold as well. What they mean and their defaults stand at the fields of App.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	g := grammar.NewReader(d, "oauth")
	if err := g.ReadDirective(a.options()); err != nil {
		return err
	}
	return g.Located(a.Check())
}

func (a *App) options() grammar.Options {
	return grammar.Options{
		"issuer":          grammar.String(&a.Issuer),
		"previous_issuer": grammar.String(&a.PreviousIssuer),
		"secret":          {Read: func(g *grammar.Reader) (err error) { a.Secrets, err = g.Words(); return err }},
		"store":           {Read: a.readStore},
		"denylist":        grammar.Block(&a.Denylist, (*Denylist).options),
		"token_cache":     grammar.Size(&a.TokenCache),
		"dpop":            grammar.Block(&a.DPoP, (*DPoP).options),
		"signing":         grammar.Block(&a.Signing, (*Signing).options),
		"session":         grammar.Block(&a.Session, (*Session).options),
		"theme":           grammar.Block(&a.Theme, (*Theme).options),
		"login":           {Read: a.readLogin, Many: true},
		"group":           {Read: a.readGroup, Many: true},
		"api":             {Read: a.readAPI, Many: true},
		"client":          {Read: a.readClient, Many: true},

		"client_registration": grammar.Block(&a.ClientRegistration, (*ClientRegistration).options),
		"client_documents":    grammar.Block(&a.ClientDocuments, (*ClientDocuments).options),
	}
}

func (a *App) readStore(g *grammar.Reader) (err error) {
	a.StoreRaw, err = g.Module("oauth.stores", nil, func(json.RawMessage) string { return "store" })
	return err
}

func (a *App) readAPI(g *grammar.Reader) error {
	if !g.NextArg() {
		return g.Missing()
	}
	api := &API{Identifier: g.Val()}
	a.APIs = append(a.APIs, api)
	if err := g.End(); err != nil {
		return err
	}
	return g.ReadBlock(api.block(), api.options())
}

func (a *App) readClient(g *grammar.Reader) error {
	if !g.NextArg() {
		return g.Missing()
	}
	c := &Client{ID: g.Val()}
	a.Clients = append(a.Clients, c)
	if err := g.NeedBlock(); err != nil {
		return err
	}
	return g.ReadBlock(c.block(), c.options())
}

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
