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

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func init() {
	caddy.RegisterModule(OAuthServer{})
	httpcaddyfile.RegisterHandlerDirective("oauth_server", parseOAuthServer)
	// Ahead of rewrites: `try_files` would swallow the endpoints.
	httpcaddyfile.RegisterDirectiveOrder("oauth_server", httpcaddyfile.Before, "method")
}

// OAuthServer serves the endpoints of the authorization server that the `oauth` app configures:
// `/authorize`, `/oauth/token`, `/userinfo`, the login pages, the discovery documents, and so
// on. Requests for other paths continue to the next handler, without the server's own cookies.
// If nothing in the site answers them, a page tells people so, with status 404, or 200 at the
// issuer's own address.
//
// Use it on the issuer's host. Every URL that it emits derives from the issuer, never from the
// request. People who open its pages under another name of that host are redirected to the
// issuer's. With an https issuer, it refuses unencrypted requests, unless they come through a
// proxy that Caddy trusts and that vouches for them.
type OAuthServer struct {
	// Endpoints to serve at another path, by name: `authorize`, `token`, `revoke`, and so on. A
	// path is relative to the issuer's own. Default: Auth0's paths.
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
	cfg, err := s.serverConfig(app)
	if err != nil {
		return fmt.Errorf("oauth: %w", err)
	}
	s.server, err = handler.NewServer(cfg)
	if err != nil {
		return fmt.Errorf("oauth_server: %w", err)
	}
	app.warnProxies(ctx)
	s.clear = &clearText{issuer: app.Issuer, log: ctx.Logger()}
	s.begin = app.backend.reference.begin
	app.guards.paths = s.Paths
	return nil
}

func (s *OAuthServer) serverConfig(app *App) (handler.Config, error) {
	theme, err := app.Theme.pages()
	return handler.Config{
		Theme:       theme,
		Issuer:      app.backend.issuer,
		IssuerURL:   app.Issuer,
		Ready:       func(context.Context) error { return app.backend.ready() },
		Health:      func() oauth.Trouble { return app.backend.shared.state.Health().Trouble },
		JWKS:        app.backend.shared.state.Keys.JWKS,
		Secrets:     app.backend.secretsInUse,
		Logins:      app.logins,
		Limits:      app.backend.shared.requests,
		Paths:       s.Paths,
		ClientIP:    clientIP,
		RequestID:   func(r *http.Request) string { return events.RequestID(r.Context()) },
		Observer:    app.backend.observer,
		SigningAlgs: app.algorithms(),
		APIScopes:   app.apiScopes(),

		RegistrationToken: orZero(app.ClientRegistration).token,
	}, err
}

// Check finds what the text of the configuration shows to be wrong.
func (s *OAuthServer) Check() error { return handler.CheckPaths(s.Paths) }

// ServeHTTP serves an endpoint, or passes the request on.
func (s *OAuthServer) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	endpoint, ok := s.server.Endpoint(r.URL.Path)
	if !ok {
		wire.StripCookies(r.Header)
		return s.passOn(w, r, next)
	}
	defer s.begin()()
	start := time.Now()
	recorder := caddyhttp.NewResponseRecorder(w, nil, nil)
	wire.BoundBody(recorder, r, 0)
	if endpoint == "health" || !s.clear.refused(recorder, r) { // a load balancer asks without encryption, and for no secret
		s.server.ServeHTTP(recorder, r)
	}
	events.Process.Served(endpoint, recorder.Status(), time.Since(start))
	return nil
}

// oauthApp returns the app that a handler works for. The handler's
// configuration means nothing without one, so an empty app is never made up.
func oauthApp(ctx caddy.Context, directive string) (*App, error) {
	app, err := ctx.AppIfConfigured("oauth")
	if errors.Is(err, caddy.ErrNotConfigured) || err == nil && app.(*App).unconfigured() {
		return nil, fmt.Errorf("%s: no authorization server is configured: add the global option `oauth { … }` "+
			"(in JSON the app `oauth`)", directive)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", directive, err)
	}
	return app.(*App), nil
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
	return grammar.NewReader(d, "oauth_server").ReadDirective(grammar.Options{"path": grammar.Args("<endpoint> <path>", s.setPath).Repeated()})
}

func (s *OAuthServer) setPath(args []string) error {
	if _, taken := s.Paths[args[0]]; taken {
		return fmt.Errorf("duplicate path of the endpoint %s: keep one", args[0])
	}
	if s.Paths == nil {
		s.Paths = make(map[string]string)
	}
	s.Paths[args[0]] = args[1]
	return s.Check()
}

// Interface guards
var (
	_ caddy.Provisioner           = (*OAuthServer)(nil)
	_ caddyhttp.MiddlewareHandler = (*OAuthServer)(nil)
	_ caddyfile.Unmarshaler       = (*OAuthServer)(nil)
)
