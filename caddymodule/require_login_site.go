package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// Provision finds the app, and what the guard needs of it. Which origins it stands at is
// known when all routes are there: see App.bindSites.
func (l *RequireLogin) Provision(ctx caddy.Context) error {
	if err := l.Check(); err != nil {
		return fmt.Errorf("require_login: %w", err)
	}
	app, err := oauthApp(ctx, "require_login")
	if err != nil {
		return err
	}
	l.app, l.bound = app, new(atomic.Pointer[boundSite])
	key, err := l.siteKey()
	if err != nil {
		return err
	}
	if l.SiteOnly {
		beside, err := app.guards.beside(key)
		if err != nil {
			return fmt.Errorf("require_login: %w", err)
		}
		l.beside, _ = beside.(*RequireLogin)
		return nil
	}
	if err := l.checkWith(app); err != nil {
		return err
	}
	if err := l.provisionGuard(ctx); err != nil {
		return err
	}
	app.warnProxies(ctx)
	app.guards.addSite(key, l)
	app.guards.logins, app.guards.bind = append(app.guards.logins, l), app.bindSites
	return nil
}

// provisionGuard makes what does not depend on where the guard stands.
func (l *RequireLogin) provisionGuard(ctx caddy.Context) error {
	l.public = slices.Clone(l.Public)
	if err := l.public.Provision(ctx); err != nil {
		return fmt.Errorf("require_login: public: %w", err)
	}
	l.app.noteRule(l.For, "require_login")
	settings := &l.app.backend.settings
	settings.TokenLifetime = max(settings.TokenLifetime, site.Belief(l.life().Idle, l.app.Denylist.allowStale()))
	if l.Bearer == "" {
		return nil
	}
	l.bearer = &BearerAuth{
		Audience: []string{l.Bearer}, For: l.For, ACR: l.ACR, MaxAge: l.MaxAge, StripToken: true, NoCORS: true, Streams: l.Streams,
	}
	_, err := l.bearer.provision(ctx)
	return err
}

// bindSites tells each guard its origins, and makes the site of each. All guards of an
// origin share its cookie and its sessions.
func (a *App) bindSites(web *caddyhttp.App) error {
	guards := make([]*RequireLogin, len(a.guards.logins))
	for i, h := range a.guards.logins {
		guards[i] = h.(*RequireLogin) //nolint:forcetypeassert // there are no others
	}
	places := loginPlaces(web)
	bound := make([]*boundSite, 0, len(guards))
	shared := &siteMaker{app: a, made: make(map[string]*site.Site)}
	for _, l := range guards {
		origins, err := l.origins(web, places)
		if err != nil {
			return fmt.Errorf("require_login: %w", err)
		}
		b := &boundSite{all: shared.made}
		var at []*site.Site
		for _, origin := range origins {
			s, err := shared.site(origin, l.life())
			if err == nil {
				err = l.checkCallers(origin)
			}
			if err != nil {
				return fmt.Errorf("require_login: %s: %w", origin, err)
			}
			at = append(at, s)
		}
		b.any = at[0]
		if b.guard, err = site.New(l.guardConfig(at)); err != nil {
			return fmt.Errorf("require_login: %w", err)
		}
		bound = append(bound, b)
	}
	for i, l := range guards {
		l.bound.Store(bound[i]) // when all is known
	}
	a.sites = shared.made
	return checkReached(places, shared.made)
}

// siteMaker makes the sites of one configuration, each once.
type siteMaker struct {
	app    *App
	made   map[string]*site.Site
	lives  map[string]sites.Life
	pages  *pages.Set
	server *handler.Server
}

func (m *siteMaker) site(origin string, life sites.Life) (*site.Site, error) {
	if s := m.made[origin]; s != nil {
		if m.lives[origin] != life {
			return nil, errors.New("lifetime, idle_lifetime: two guards of this origin have others, and share one session: write the same in both")
		}
		return s, nil
	}
	if err := m.prepare(); err != nil {
		return nil, err
	}
	a := m.app
	s, err := site.NewSite(site.SiteConfig{
		Origin:       origin,
		Issuer:       a.backend.issuer.Sites(),
		IssuerURL:    a.Issuer,
		AuthorizeURL: m.server.AuthorizeURL(),
		SignedOutURL: m.server.SignedOutURL(),
		Pages:        m.pages,
		Life:         life,
		AllowStale:   a.Denylist.allowStale(),
		Ready:        func(context.Context) error { return a.backend.readyToCheck() },
		Original:     originalURL,
		Observer:     a.observer,
	})
	if err != nil {
		return nil, err
	}
	m.made[origin], m.lives[origin] = s, life
	return s, nil
}

// prepare makes what all sites share. The addresses of the issuer are those of its
// `oauth_server` here, or the usual ones where it has none on this node.
func (m *siteMaker) prepare() (err error) {
	if m.server != nil {
		return nil
	}
	m.lives = make(map[string]sites.Life)
	cfg, err := (&OAuthServer{Paths: m.app.guards.paths}).serverConfig(m.app)
	if err != nil {
		return err
	}
	if m.pages, err = pages.New(cfg.Theme); err != nil {
		return err
	}
	m.server, err = handler.NewServer(cfg)
	return err
}

func (l *RequireLogin) guardConfig(at []*site.Site) site.Config {
	cfg := site.Config{
		Sites:         at,
		For:           people.Rule(l.For),
		Rules:         sites.Rules{Logins: l.Logins, ACRs: l.ACR, MaxAge: time.Duration(l.MaxAge)},
		Public:        l.isPublic,
		Headers:       l.mappings(),
		Keys:          l.Keys,
		OnlyPeople:    l.Activity == "people",
		AllowOrigins:  l.AllowOrigins,
		StartRedirect: l.Start == "redirect",
		KeepCache:     l.Cache == "keep",
		Passage:       sitePassageOf,
	}
	if t := l.UpstreamToken; t != nil {
		cfg.Upstream = &site.UpstreamToken{API: t.API, Scopes: t.Scopes, Header: http.CanonicalHeaderKey(t.Header)}
	}
	if l.bearer != nil {
		cfg.Bearer = l.bearer.guard
	}
	return cfg
}

// isPublic reports whether a request needs no session.
func (l *RequireLogin) isPublic(r *http.Request) bool {
	if l.PublicAssets && (r.Method == http.MethodGet || r.Method == http.MethodHead) && site.Assets(r.URL.Path) {
		return true
	}
	if len(l.public) == 0 {
		return false
	}
	matches, err := l.public.MatchWithError(r)
	return err == nil && matches
}

// originalURL returns the URL that the client asked for, before rewrites.
func originalURL(r *http.Request) *url.URL {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.URL
	}
	return r.URL
}
