package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

func init() {
	caddy.RegisterModule(OAuthServer{})
	httpcaddyfile.RegisterHandlerDirective("oauth_server", parseOAuthServer)
	// Ahead of rewrites: `try_files` would swallow the endpoints.
	httpcaddyfile.RegisterDirectiveOrder("oauth_server", httpcaddyfile.Before, "method")
}

// OAuthServer serves the endpoints of the authorization server that the
// `oauth` app configures: `/authorize`, `/oauth/token`, `/userinfo`, the login
// pages, the discovery documents and so on. Requests for other paths go on to
// the next handler, without the server's own cookies.
//
// It belongs on the host of the issuer. Every URL that it emits derives from
// the issuer and never from the request. Under an https issuer it refuses requests
// that came without encryption, unless a proxy that Caddy trusts vouches for them.
type OAuthServer struct {
	// Endpoints that are to be at another path, by name: `authorize`, `token`,
	// `revoke` … A path is relative to the issuer's own. Default: Auth0's paths.
	Paths map[string]string `json:"paths,omitempty"`

	server *handler.Server
	clear  *clearText
	begin  func() (end func()) // notes a request that needs the store
}

// CaddyModule returns the Caddy module information.
func (OAuthServer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.oauth_server",
		New: func() caddy.Module { return new(OAuthServer) },
	}
}

// Provision finds the app and builds the server on it.
func (s *OAuthServer) Provision(ctx caddy.Context) error {
	if err := s.Check(); err != nil {
		return err
	}
	app, err := oauthApp(ctx, "oauth_server")
	if err != nil {
		return err
	}
	s.server, err = handler.NewServer(s.serverConfig(app))
	if err != nil {
		return fmt.Errorf("oauth_server: %w", err)
	}
	app.warnProxies(ctx)
	s.clear = &clearText{issuer: app.Issuer, log: ctx.Logger()}
	s.begin = app.runtime.hold.begin
	return nil
}

func (s *OAuthServer) serverConfig(app *App) handler.Config {
	return handler.Config{
		Issuer:      app.runtime.issuer,
		IssuerURL:   app.Issuer,
		Ready:       func(context.Context) error { return app.runtime.ready() },
		Health:      func() tokens.Trouble { return app.runtime.shared.state.Health().Trouble },
		JWKS:        app.runtime.shared.state.Keys.JWKS,
		Secrets:     app.runtime.secretsInUse,
		Logins:      app.logins,
		Theme:       app.Theme.pages(),
		Limits:      app.runtime.shared.requests,
		Paths:       s.Paths,
		ClientIP:    clientIP,
		RequestID:   func(r *http.Request) string { return requestInfo(r.Context()).id },
		Observer:    app.runtime.observer,
		IDTokenAlgs: app.idTokenAlgorithms(),
		APIScopes:   app.apiScopes(),
	}
}

// Check finds what the text of the configuration shows to be wrong.
func (s *OAuthServer) Check() error { return handler.CheckPaths(s.Paths) }

// ServeHTTP serves an endpoint, or passes the request on.
func (s *OAuthServer) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	endpoint, ok := s.server.Endpoint(r.URL.Path)
	if !ok {
		wire.StripCookies(r.Header)
		return next.ServeHTTP(w, r)
	}
	defer s.begin()()
	start := time.Now()
	recorder := caddyhttp.NewResponseRecorder(w, nil, nil)
	wire.BoundBody(recorder, r, 0)
	if !s.clear.refused(recorder, r) {
		s.server.ServeHTTP(recorder, r)
	}
	processMetrics.served(endpoint, recorder.Status(), time.Since(start))
	return nil
}

// oauthApp returns the app that a handler works for. The handler's
// configuration means nothing without one, so an empty app is never made up.
func oauthApp(ctx caddy.Context, directive string) (*App, error) {
	app, err := ctx.AppIfConfigured("oauth")
	if errors.Is(err, caddy.ErrNotConfigured) || err == nil && app.(*App).bare() {
		return nil, fmt.Errorf("%s: no authorization server is configured: add the global option `oauth { … }` "+
			"(in JSON the app `oauth`)", directive)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", directive, err)
	}
	return app.(*App), nil
}

// clientIP returns the address of the person's browser as Caddy knows it,
// trusted proxies considered.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// parseOAuthServer sets up the handler from Caddyfile tokens.
func parseOAuthServer(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	s := new(OAuthServer)
	if err := s.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return s, checkInvokes(h)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	oauth_server [<matcher>] {
//	    path <endpoint> <path>
//	}
func (s *OAuthServer) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the directive
	if d.NextArg() {
		return d.Errf("oauth_server: unexpected argument %q: it takes a block only", d.Val())
	}
	for d.NextBlock(0) {
		if d.Val() != "path" {
			return d.Errf("unrecognized option of oauth_server: %q (there is: path)", d.Val())
		}
		args := d.RemainingArgs()
		if len(args) != 2 {
			return d.Errf("path: write the name of one endpoint and its path: path token /oauth/token")
		}
		if _, twice := s.Paths[args[0]]; twice {
			return d.Errf("path: the endpoint %s has one already", args[0])
		}
		if s.Paths == nil {
			s.Paths = make(map[string]string)
		}
		s.Paths[args[0]] = args[1]
		if err := s.Check(); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*OAuthServer)(nil)
	_ caddyhttp.MiddlewareHandler = (*OAuthServer)(nil)
	_ caddyfile.Unmarshaler       = (*OAuthServer)(nil)
)
