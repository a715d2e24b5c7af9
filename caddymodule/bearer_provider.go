package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

func init() {
	caddy.RegisterModule(BearerProvider{})
}

// BearerProvider is the check of `bearer_auth` as a provider of Caddy's own
// authentication handler, so that a route takes access tokens or what another
// provider takes, such as a password. It has the fields of `bearer_auth`, but
// neither answers CORS preflights nor serves the RFC 9728 document.
//
// Caddy answers each refusal with 401. Where too little scope should be 403, and
// an unreachable store 503, use the handler `bearer_auth`.
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
	if p.Optional {
		return errors.New("bearer: optional would let everybody pass all providers: leave it out")
	}
	if p.MetadataOnly {
		return errors.New("bearer: metadata_only checks nothing: leave it out")
	}
	p.NoCORS = true
	return p.BearerAuth.Provision(ctx)
}

// Authenticate checks the request's token.
func (p *BearerProvider) Authenticate(w http.ResponseWriter, r *http.Request) (caddyauth.User, bool, error) {
	claims, err := p.guard.Authenticate(w, r)
	if refusal, ok := errors.AsType[*handler.Refusal](err); ok && refusal.Err.Code != tokens.TemporarilyUnavailable {
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
