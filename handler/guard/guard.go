// Package guard checks the access token of every request to an API: the resource
// server of RFC 6750, with the metadata of RFC 9728. It knows nothing of the
// authorization server: package verify reads the tokens, and the guard adds the
// rules of a route.
//
// Begin reading at Guard and its Check.
package guard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Guard checks the access token of every request to a protected resource.
// Safe for concurrent use.
type Guard struct {
	cfg      Config
	headers  identity.Headers
	anySub   bool   // no rule on `iss` says whose `sub` another rule means
	scope    string // that a token needs, for challenges
	realm    string // Bearer realm="…"
	resource resource
}

// New makes a Guard. Errors name the setting and the fix. It does no I/O.
func New(cfg Config) (*Guard, error) {
	switch {
	case cfg.Access == nil || cfg.IssuerURL == "":
		return nil, errors.New("making guard: Access and IssuerURL are required")
	case len(cfg.Audience) == 0:
		return nil, errors.New("making guard: at least one audience is required; a token for any other API would pass")
	case cfg.CORS && cfg.Origins == nil:
		return nil, errors.New("making guard: CORS needs Origins")
	case cfg.MCP && (cfg.Cookie != "" || oauth.OriginOf(cfg.Audience[0]) == ""):
		return nil, errors.New("making guard: MCP needs an audience that is a URL, and no Cookie")
	case cfg.DPoPRequired && cfg.Proofs == nil:
		return nil, errors.New("making guard: DPoPRequired needs Proofs")
	}
	cfg = cfg.withDefaults()
	cfg.TokenHeader = http.CanonicalHeaderKey(cfg.TokenHeader)
	cfg.Audience, cfg.Scopes, cfg.ScopeAny = shared(cfg.Audience), shared(cfg.Scopes), shared(cfg.ScopeAny)
	headers, err := identity.New(cfg.Headers)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		cfg:     cfg,
		headers: headers,
		anySub:  !slices.ContainsFunc(cfg.Claims, func(r ClaimRule) bool { return r.Claim == "iss" }),
		realm:   `Bearer realm="` + wire.Quotable(cfg.Realm) + `"`,
		scope:   strings.Join(slices.Concat(cfg.Scopes, cfg.ScopeAny[:min(1, len(cfg.ScopeAny))]), " "),
	}
	g.resource, err = newResource(cfg)
	return g, err
}

func (cfg Config) withDefaults() Config {
	if cfg.Observer == nil {
		cfg.Observer = oauth.NopObserver{}
	}
	if cfg.Ready == nil {
		cfg.Ready = func(context.Context) error { return nil }
	}
	if cfg.RequestURLs == nil {
		cfg.RequestURLs = requestURLs
	}
	if cfg.ClientOrigin == nil {
		cfg.ClientOrigin = hostOrigin
	}
	if cfg.Path == nil {
		cfg.Path = func(r *http.Request) string { return r.URL.EscapedPath() }
	}
	if cfg.MCP {
		cfg.Origins = func(string) bool { return true }
	}
	if cfg.Realm == "" {
		cfg.Realm = cfg.Audience[0]
	}
	return cfg
}

// shared returns the texts where tokens keep theirs.
func shared(list []string) []string {
	list = slices.Clone(list)
	for i, text := range list {
		list[i] = verify.Shared(text)
	}
	return list
}

// passage returns what the guards of a request share, nil where nothing does.
func (g *Guard) passage(r *http.Request) *Passage {
	if g.cfg.Passage == nil {
		return nil
	}
	return g.cfg.Passage(r)
}
