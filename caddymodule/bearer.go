package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

func init() {
	caddy.RegisterModule(BearerAuth{})
}

// BearerAuth guards a route with the access tokens of the `oauth` app, and of
// other issuers where it names them; with those alone it needs no `oauth` app. A
// request passes when its token is valid, made for one of the audiences,
// carries the scopes and claims that are asked for, and has not been revoked.
// All others are answered as RFC 6750 says, through `handle_errors` where there is one.
//
// The placeholder `{http.auth.user.id}` is then the token's subject (with its
// issuer in front, `<iss>|<sub>`, where that is another one), and
// `{http.auth.user.<claim>}` any of its claims; a dot steps into an object, and
// lists are joined by commas.
//
// It also serves the RFC 9728 document that tells clients which authorization
// server to ask, at `/.well-known/oauth-protected-resource` with the path of the
// first audience behind it, where that is a URL with a path. The directive does so
// for the whole site, also where it has a matcher, and takes the headers that it
// sets out of all requests of the site.
type BearerAuth struct {
	// What the token must be made for: at least one of these. Each is the
	// identifier of an API of the `oauth` app, or what the tokens of other
	// issuers have as their `aud`. Default: none, it is required.
	Audience []string `json:"audience,omitempty"`

	// Scopes that the token must have, all of them. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// Scopes of which the token must have one. Default: none.
	ScopeAny []string `json:"scope_any,omitempty"`

	// What the token's claims must say, every rule of it. Default: none.
	Claims []ClaimRule `json:"claims,omitempty"`

	// Claims that the upstream gets as request headers. Default: none.
	Headers []ClaimHeader `json:"headers,omitempty"`

	// The ways to log in of which the token's user must have used one, as the
	// token's `acr` says. Others are asked to step up (RFC 9470). Default: any.
	ACR []string `json:"acr,omitempty"`

	// How long ago the token's user may have logged in, as its `auth_time` says, in
	// whole seconds.
	// Others are asked to log in again (RFC 9470). Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Other issuers whose tokens pass as well. Default: none.
	Issuers []*BearerIssuer `json:"issuers,omitempty"`

	// Let requests without a token pass. Those with a bad one never do, nor those
	// whose token cannot be told: a cookie that is there twice, or comes from
	// another site. Default: false
	Optional bool `json:"optional,omitempty"`

	// A cookie that may carry the token where there is no Authorization header.
	// Requests that change something, and WebSockets, need an `Origin` or
	// `Sec-Fetch-Site` that says that they come from this origin or an allowed one.
	// Pages of allowed origins may send the cookie and read the answer
	// (`Access-Control-Allow-Credentials`), and what it has opened is kept out of
	// shared caches (`Cache-Control: private`, `Vary: Cookie`). Default: none.
	Cookie string `json:"cookie,omitempty"`

	// Take every token out of the request before it goes upstream: bearer and DPoP
	// ones with their proof, the named cookie, `access_token` in the query. Default: false
	StripToken bool `json:"strip_token,omitempty"`

	// Whether tokens have to be bound to a DPoP key (RFC 9449). Those that are
	// pass only with a proof, here as everywhere; without this, others pass as
	// well. Default: false
	DPoPRequired bool `json:"dpop_required,omitempty"`

	// The origins under which clients reach this site, for their DPoP proofs: where
	// a proxy in front is not in `trusted_proxies`, or where the site answers to any
	// host. Default: that of the request, as Caddy trusts it
	DPoPOrigins []string `json:"dpop_origins,omitempty"`

	// Leave CORS to the upstream, instead of answering preflights and setting
	// the headers for the origins of clients that may use this API. Preflights
	// then pass without a token, as a browser sends them: without body, cookies
	// and `Authorization`; every other request needs one. Default: false
	NoCORS bool `json:"no_cors,omitempty"`

	// The URL of the RFC 9728 document, where it is not this site that serves
	// it. Default: derived from the audience, or from the host.
	MetadataURL string `json:"metadata_url,omitempty"`

	// The realm of the challenge. Default: the first audience
	Realm string `json:"realm,omitempty"`

	// Check nothing: only do for all of the site what a guard with a matcher cannot
	// do where its matcher does not match, which is to serve the RFC 9728 document
	// and to take the client's own `headers` out of requests. The directive with a
	// matcher makes such a handler behind the guard's own; without that one, which
	// has the same options, the configuration is refused. Default: false
	SiteOnly bool `json:"site_only,omitempty"`

	guard     *guard.Guard
	observer  *observer
	documents *documents // of all guards
}

// ClaimRule is what one claim of the token must say.
type ClaimRule struct {
	// The name of the claim; a dot steps into an object. Default: none, it is required.
	Claim string `json:"claim,omitempty"`

	// The claim must be one of these values, or a list with one of them in it.
	// Default: none; one is required.
	Values []string `json:"values,omitempty"`
}

// ClaimHeader hands one claim to the upstream.
type ClaimHeader struct {
	// The request header. What the client sent under this name, in any spelling
	// (CGI takes every sign for `_`, and knows no case), is deleted first, from the
	// trailers too. Default: none, it is required.
	Header string `json:"header,omitempty"`

	// The name of the claim; a dot steps into an object. A token without it
	// leaves the header absent. Default: none, it is required.
	Claim string `json:"claim,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (BearerAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.bearer_auth",
		New: func() caddy.Module { return new(BearerAuth) },
	}
}

// Provision finds the app and builds the guard on it.
func (b *BearerAuth) Provision(ctx caddy.Context) error {
	app, err := b.provision(ctx)
	if err != nil {
		return err
	}
	app.warnProxies(ctx)
	if b.SiteOnly {
		b.guard, err = app.siteParts.guardBeside(b)
		return err
	}
	return app.siteParts.addGuard(b)
}

func (b *BearerAuth) provision(ctx caddy.Context) (*App, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("bearer_auth: %w", err)
	}
	app, err := b.oauthApp(ctx)
	if err != nil {
		return nil, err
	}
	b.documents = &app.documents
	if b.SiteOnly {
		return app, nil
	}
	if b.guard, err = b.newGuard(app); err != nil {
		return nil, err
	}
	app.documents.add(b.guard)
	return app, nil
}

// newGuard makes the guard.
func (b *BearerAuth) newGuard(app *App) (*guard.Guard, error) {
	cfg := b.guardConfig()
	cfg.Observer = app.observer
	b.observer = app.observer
	cfg.Proofs = app.proofs
	if !app.bare() {
		if err := b.takeOwn(app, &cfg); err != nil {
			return nil, err
		}
	}
	if err := b.addIssuers(app, &cfg); err != nil {
		return nil, err
	}
	g, err := guard.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("bearer_auth: %w", err)
	}
	return g, nil
}

// takeOwn makes a guard take the tokens of the app.
func (b *BearerAuth) takeOwn(app *App, cfg *guard.Config) error {
	if err := b.checkAudience(app.runtime.issuer); err != nil {
		return err
	}
	app.countGuard(b.Audience)
	cfg.Access = app.runtime.issuer
	cfg.Proofs = app.runtime.issuer.Proofs()
	cfg.Ready = func(context.Context) error { return app.runtime.readyToCheck() }
	cfg.Origins = originsOf(app.runtime.issuer, b.Audience)
	cfg.IssuerURL = app.Issuer
	return nil
}

// guardConfig is what the options alone say.
func (b *BearerAuth) guardConfig() guard.Config {
	cfg := guard.Config{
		Audience:   b.Audience,
		Scopes:     b.Scopes,
		ScopeAny:   b.ScopeAny,
		StepUp:     guard.StepUp{ACR: b.ACR, MaxAge: time.Duration(b.MaxAge)},
		Optional:   b.Optional,
		Cookie:     b.Cookie,
		StripToken: b.StripToken,

		DPoPRequired: b.DPoPRequired,
		ClientOrigin: clientOrigin,
		RequestURLs:  b.requestURLs,
		Passage:      passageOf,

		CORS:        !b.NoCORS,
		MetadataURL: b.MetadataURL,
		Realm:       b.Realm,
	}
	for _, rule := range b.Claims {
		cfg.Claims = append(cfg.Claims, guard.ClaimRule{Claim: rule.Claim, Values: rule.Values})
	}
	for _, h := range b.Headers {
		cfg.Headers = append(cfg.Headers, identity.Mapping{Header: h.Header, Claim: h.Claim})
	}
	return cfg
}

// originsOf accepts the origins of the clients that may use one of the APIs.
func originsOf(issuer *tokens.Issuer, audiences []string) func(string) bool {
	allowed := make(map[string]bool)
	for _, c := range issuer.Clients() {
		if !slices.ContainsFunc(c.APIs, func(api string) bool { return slices.Contains(audiences, api) }) {
			continue
		}
		for _, origin := range c.Origins {
			allowed[origin] = true
		}
	}
	return func(origin string) bool { return allowed[origin] }
}

// ServeHTTP checks the request's token.
func (b *BearerAuth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if g := b.document(r); g != nil {
		wire.BoundBody(w, r, 0)
		forgetAnswer(w.Header())
		g.Metadata(w, r)
		return nil
	}
	if b.SiteOnly {
		b.guard.TakeOut(r)
		return next.ServeHTTP(w, r)
	}
	result, err := b.guard.Check(w, r)
	if err != nil {
		status := http.StatusInternalServerError
		if refusal, ok := errors.AsType[*guard.Refusal](err); ok {
			status = refusal.Status
		}
		if status == http.StatusServiceUnavailable {
			b.observer.unavailable(r.Context(), err)
		}
		forgetAnswer(w.Header())
		sayPlainText(w, r, status)
		if answersItself(r, status) {
			w.WriteHeader(status)
			return nil
		}
		return caddyhttp.Error(status, err)
	}
	if result.Answered {
		return nil
	}
	setUser(r, result.Claims)
	return next.ServeHTTP(result.Writer, r)
}

// guardTrouble is the outcome of EventStoreTrouble where a guard could not be sure.
const guardTrouble = "guard"

// unavailable tells that a guard could not be sure about a token.
func (o *observer) unavailable(ctx context.Context, err error) {
	if e, ok := errors.AsType[*tokens.Error](err); ok && e.Reason == tokens.ReasonStore && ctx.Err() == nil {
		o.Happened(ctx, tokens.Event{Kind: tokens.EventStoreTrouble, Outcome: guardTrouble, Cause: e.Cause})
	}
}

// answersItself reports whether the guard writes the status of a refusal, and
// does not hand an error to Caddy. In `handle_errors` Caddy would answer with the
// status of the first error. A 503 that no `handle_errors` answers would be a line
// in Caddy's log, and an outage would make one of each request; the observer's are
// sampled.
func answersItself(r *http.Request, status int) bool {
	if r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		return true
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return status == http.StatusServiceUnavailable && ok && (server.Errors == nil || len(server.Errors.Routes) == 0)
}

// forgetAnswer takes back what another answer has said of its body: in
// `handle_response` there may be one already. net/http.Error does the same.
func forgetAnswer(h http.Header) {
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified"} {
		delete(h, name)
	}
}

// sayPlainText labels a "come back later" that no `handle_errors` gives a body
// to: SDKs throw tokens away on errors that may be JSON.
func sayPlainText(w http.ResponseWriter, r *http.Request, status int) {
	if status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests {
		return
	}
	if server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Errors == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*BearerAuth)(nil)
	_ caddyhttp.MiddlewareHandler = (*BearerAuth)(nil)
)
