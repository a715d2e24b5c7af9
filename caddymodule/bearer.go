package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

func init() {
	caddy.RegisterModule(BearerAuth{})
}

// BearerAuth guards a route with the access tokens of the `oauth` app, and of
// other issuers where it names them. A
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
// server to ask, at `/.well-known/oauth-protected-resource`.
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

	// How long ago the token's user may have logged in, as its `auth_time` says.
	// Others are asked to log in again (RFC 9470). Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Other issuers whose tokens pass as well. Default: none.
	Issuers []*BearerIssuer `json:"issuers,omitempty"`

	// Let requests without a token pass; those with a bad one never do. Default: false
	Optional bool `json:"optional,omitempty"`

	// A cookie that may carry the token where there is no Authorization header. Default: none.
	Cookie string `json:"cookie,omitempty"`

	// Take the token out of the request before it goes upstream. Default: false
	StripToken bool `json:"strip_token,omitempty"`

	// Leave CORS to the upstream, instead of answering preflights and setting
	// the headers for the origins of clients that may use this API. Default: false
	NoCORS bool `json:"no_cors,omitempty"`

	// The URL of the RFC 9728 document, where it is not this site that serves
	// it. Default: derived from the audience, or from the host.
	MetadataURL string `json:"metadata_url,omitempty"`

	// The realm of the challenge. Default: the first audience
	Realm string `json:"realm,omitempty"`

	// Serve the RFC 9728 document and check nothing: all other requests pass.
	// The directive makes such a route beside the guard's own, so that the
	// document is there outside of the guard's matcher and ahead of rewrites:
	// it goes by the path that the client asked for. Default: false
	MetadataOnly bool `json:"metadata_only,omitempty"`

	guard *handler.Guard
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
	// of `-`, `_` and `.`, is deleted first. Default: none, it is required.
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
	if err := b.Check(); err != nil {
		return fmt.Errorf("bearer_auth: %w", err)
	}
	app, err := oauthApp(ctx, "bearer_auth")
	if err != nil {
		return err
	}
	if err := b.checkAudience(app.runtime.issuer); err != nil {
		return err
	}
	cfg := b.guardConfig(app)
	if err := b.addIssuers(app, &cfg); err != nil {
		return err
	}
	b.guard, err = handler.NewGuard(cfg)
	if err != nil {
		return fmt.Errorf("bearer_auth: %w", err)
	}
	return nil
}

// Check finds what the text of the configuration shows to be wrong.
func (b *BearerAuth) Check() error {
	if err := b.checkOptions(); err != nil {
		return err
	}
	if err := b.checkIssuers(); err != nil {
		return err
	}
	if len(b.Audience) == 0 {
		return errors.New("audience: name at least one, the identifier of an `api`: a guard without it would accept tokens made for other services")
	}
	return nil
}

// checkOptions checks each option for itself.
func (b *BearerAuth) checkOptions() error {
	if slices.Contains(b.Audience, "") {
		return errors.New("audience: one is empty: write the identifier of an `api`")
	}
	for _, scope := range slices.Concat(b.Scopes, b.ScopeAny) {
		if !tokens.ValidScope(scope) {
			return fmt.Errorf("scope: %q is not one scope (RFC 6749 §3.3)", scope)
		}
	}
	for _, rule := range b.Claims {
		if rule.Claim == "" || len(rule.Values) == 0 {
			return errors.New("claim: name a claim and at least one value: claim org acme")
		}
	}
	for _, h := range b.Headers {
		if err := h.check(); err != nil {
			return err
		}
	}
	if b.Cookie != "" && !httpguts.ValidHeaderFieldName(b.Cookie) {
		return fmt.Errorf("from cookie: %q is not the name of a cookie", b.Cookie)
	}
	if slices.ContainsFunc(b.ACR, func(v string) bool { return v == "" || strings.ContainsAny(v, " \"\\") }) {
		return errors.New("acr: one is empty or has a space or quote: write each way to log in for itself")
	}
	if b.MaxAge < 0 {
		return errors.New("max_age: it is less than no time: leave it out for any time")
	}
	return checkMetadataURL(b.MetadataURL)
}

func checkMetadataURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.Fragment != "" {
		return fmt.Errorf("metadata_url: %q is not an http or https URL", text)
	}
	return nil
}

func (h ClaimHeader) check() error {
	if h.Header == "" || h.Claim == "" {
		return errors.New("header: name a header and the claim that fills it: header X-User-Id sub")
	}
	if !httpguts.ValidHeaderFieldName(h.Header) {
		return fmt.Errorf("header: %q is not the name of a header", h.Header)
	}
	switch http.CanonicalHeaderKey(h.Header) {
	case "Authorization", "Connection", "Content-Length", "Cookie", "Host", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return fmt.Errorf("header: %s means something else to HTTP: choose a name of your own, such as X-User-Id", h.Header)
	}
	return nil
}

// checkAudience makes sure that tokens for the audiences can exist. What other
// issuers make tokens for is theirs to know.
func (b *BearerAuth) checkAudience(issuer *tokens.Issuer) error {
	if len(b.Issuers) > 0 {
		return nil
	}
	for _, audience := range b.Audience {
		if _, ok := issuer.API(audience); ok {
			continue
		}
		known := make([]string, 0, len(issuer.APIs()))
		for _, api := range issuer.APIs() {
			known = append(known, api.Identifier)
		}
		if len(known) == 0 {
			return fmt.Errorf("bearer_auth: audience %q: no `api` is configured in the global option `oauth`; add `api %s { … }`", audience, audience)
		}
		return fmt.Errorf("bearer_auth: audience %q is not an `api` of the global option `oauth`; there are: %s",
			audience, strings.Join(known, ", "))
	}
	return nil
}

func (b *BearerAuth) guardConfig(app *App) handler.GuardConfig {
	cfg := handler.GuardConfig{
		Issuer:      app.runtime.issuer,
		Ready:       func(context.Context) error { return app.runtime.ready() },
		Audience:    b.Audience,
		Scopes:      b.Scopes,
		ScopeAny:    b.ScopeAny,
		StepUp:      handler.StepUp{ACR: b.ACR, MaxAge: time.Duration(b.MaxAge)},
		Optional:    b.Optional,
		Cookie:      b.Cookie,
		StripToken:  b.StripToken,
		CORS:        !b.NoCORS,
		Origins:     originsOf(app.runtime.issuer, b.Audience),
		IssuerURL:   app.Issuer,
		MetadataURL: b.MetadataURL,
		Realm:       b.Realm,
		Observer:    app.runtime.observer,
	}
	for _, rule := range b.Claims {
		cfg.Claims = append(cfg.Claims, handler.ClaimRule{Claim: rule.Claim, Values: rule.Values})
	}
	for _, h := range b.Headers {
		cfg.Headers = append(cfg.Headers, handler.HeaderMapping{Header: h.Header, Claim: h.Claim})
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
	if b.guard.ServesMetadata(originalPath(r)) {
		b.guard.Metadata(w, r)
		return nil
	}
	if b.MetadataOnly {
		return next.ServeHTTP(w, r)
	}
	result, err := b.guard.Check(w, r)
	if err != nil {
		status := http.StatusInternalServerError
		if refusal, ok := errors.AsType[*handler.Refusal](err); ok {
			status = refusal.Status
		}
		sayPlainText(w, r, status)
		return caddyhttp.Error(status, err)
	}
	if result.Answered {
		return nil
	}
	setUser(r, result.Claims)
	return next.ServeHTTP(result.Writer, r)
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

// originalPath returns the path that the client asked for, before rewrites.
func originalPath(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.URL.Path
	}
	return r.URL.Path
}

// Interface guards
var (
	_ caddy.Provisioner           = (*BearerAuth)(nil)
	_ caddyhttp.MiddlewareHandler = (*BearerAuth)(nil)
)
