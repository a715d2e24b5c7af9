package caddymodule

import (
	"errors"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
)

// routeGuard is a handler that lets requests pass or not.
type routeGuard interface {
	caddyhttp.MiddlewareHandler

	directive() string
	decides() bool    // false for the handler for the rest of a site
	sets() []string   // the headers that tell the upstream who somebody is
	about() zap.Field // which one it is
}

var errBothGuards = errors.New("bearer_auth and require_login are in one route, and only one of them can answer a request that comes without anything: " +
	"give each a matcher of its own, or write `bearer <api>` into require_login, which then takes access tokens as well")

// haveBoth reports whether one route has guards of both kinds.
func haveBoth(list []caddyhttp.MiddlewareHandler) bool {
	kinds := make(map[string]bool)
	for _, h := range list {
		if g, ok := h.(routeGuard); ok && g.decides() {
			kinds[g.directive()] = true
		}
	}
	return len(kinds) > 1
}

func (b *BearerAuth) directive() string { return "bearer_auth" }
func (b *BearerAuth) decides() bool     { return !b.SiteOnly }
func (b *BearerAuth) about() zap.Field  { return zap.String("audience", strings.Join(b.Audience, " ")) }

func (b *BearerAuth) sets() []string {
	names := make([]string, len(b.Headers))
	for i, h := range b.Headers {
		names[i] = h.Header
	}
	return names
}

func (l *RequireLogin) directive() string { return "require_login" }
func (l *RequireLogin) decides() bool     { return !l.SiteOnly }
func (l *RequireLogin) about() zap.Field  { return zap.String("origin", strings.Join(l.Origins, " ")) }

func (l *RequireLogin) sets() []string { return namesOf(l.mappings(), l.UpstreamToken) }

func namesOf(mappings []identity.Mapping, token *SiteToken) []string {
	names := make([]string, len(mappings), len(mappings)+1)
	for i, m := range mappings {
		names[i] = m.Header
	}
	if token != nil && token.Header != "" {
		names = append(names, token.Header)
	}
	return names
}
