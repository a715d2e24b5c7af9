package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

func init() {
	caddy.RegisterModule(BearerProvider{})
}

// BearerProvider is the check of `bearer_auth` as a provider for Caddy's own authentication
// handler. A route can then accept access tokens or whatever another provider accepts, such as
// a password. It has the fields of `bearer_auth`, but does not answer CORS preflights or serve
// the RFC 9728 document.
//
// Caddy asks its providers in no particular order, and stops at the first one that recognizes
// somebody. A provider therefore has no control over requests that another one lets in, so
// `headers` and `strip_token` are refused. Set headers after the authentication handler, in
// `reverse_proxy`, from `{http.auth.user.id}` and `{http.auth.user.<claim>}`.
//
// Caddy answers every refusal with a 401. If you need a 403 for too little scope, and a 503 if
// the store cannot be reached, use the handler `bearer_auth`.
type BearerProvider struct {
	BearerAuth
}

// CaddyModule returns the Caddy module information.
func (BearerProvider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.authentication.providers.bearer",
		New: func() caddy.Module { return new(BearerProvider) },
	}
}

// Provision checks what a provider cannot do, and builds the guard.
func (p *BearerProvider) Provision(ctx caddy.Context) error {
	switch {
	case p.Optional:
		return errors.New("bearer: optional would let everybody pass all providers: leave it out")
	case p.SiteOnly:
		return errors.New("bearer: site_only checks nothing: leave it out")
	case len(p.Headers) > 0:
		return errors.New("bearer: headers: where another provider decides first, the upstream would get what the client wrote into them: " +
			"leave them out, and set each behind the authentication handler, in reverse_proxy: header_up X-User-Id {http.auth.user.id}")
	case p.StripToken:
		return errors.New("bearer: strip_token: where another provider decides first, the token would go upstream: " +
			"leave it out, and take it out behind the authentication handler, in reverse_proxy: header_up -Authorization")
	case p.Streams != "":
		return errors.New("bearer: streams: Caddy serves the request, and the provider cannot end it: leave it out, or use the handler bearer_auth")
	}
	p.NoCORS = true
	_, err := p.provision(ctx)
	return err
}

// Authenticate checks the request's token.
func (p *BearerProvider) Authenticate(w http.ResponseWriter, r *http.Request) (caddyauth.User, bool, error) {
	claims, err := p.guard.Authenticate(w, r)
	if refusal, ok := errors.AsType[*guard.Refusal](err); ok && refusal.Err.Code != oauth.TemporarilyUnavailable {
		return caddyauth.User{}, false, nil // the challenge is set
	}
	if err != nil {
		return caddyauth.User{}, false, fmt.Errorf("checking access token: %w", err)
	}
	setUser(r, claims)
	return caddyauth.User{ID: claims.Identity()}, true, nil
}

// Interface guards
var (
	_ caddy.Provisioner       = (*BearerProvider)(nil)
	_ caddyauth.Authenticator = (*BearerProvider)(nil)
)
