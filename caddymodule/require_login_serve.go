package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// ServeHTTP lets people in who are signed in, and shows others the way.
func (l *RequireLogin) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	guard := l
	if l.SiteOnly {
		guard = l.beside
	}
	bound := guard.bound.Load()
	if bound == nil { // apps start in no order
		w.Header().Set("Retry-After", "1")
		wire.NoStore(w.Header())
		return caddyhttp.Error(http.StatusServiceUnavailable, errNotBound)
	}
	if site.Owns(originalPath(r)) {
		wire.BoundBody(w, r, 0)
		forgetAnswer(w.Header())
		sitePassageSoFar(r).GiveBack(r)
		bound.siteOf(r).ServeHTTP(w, r)
		return nil
	}
	if l.SiteOnly {
		bound.guard.TakeOut(r)
		return next.ServeHTTP(w, r)
	}
	result, err := bound.guard.Check(w, r)
	switch {
	case err != nil:
		return answerRefusal(w, r, err, l.app.observer)
	case result.Answered:
		return nil
	}
	if result.Claims == nil {
		return next.ServeHTTP(result.Writer, r)
	}
	setUser(r, result.Claims)
	if !result.Session {
		return l.bearer.serveWhile(result.Writer, r, result.Claims, next)
	}
	return l.serveWhile(result, r, next)
}

var errNotBound = errors.New("require_login: the configuration is still starting")

// siteOf returns the site whose own pages a request asks for: that of its host, whichever
// guard is, else any, which answers that the host is not its own.
func (b *boundSite) siteOf(r *http.Request) *site.Site {
	for _, scheme := range []string{"https", "http"} {
		if s := b.all[oauth.OriginOf(scheme+"://"+r.Host)]; s != nil {
			return s
		}
	}
	return b.any
}

// sessionGrant is what a request lives by that a session has let in.
type sessionGrant struct {
	belief

	guard   *RequireLogin
	result  site.Result
	expires bool // the session's own end counts, too
}

// Ended asks whether the session would still let a request in.
func (g *sessionGrant) Ended(ctx context.Context) error {
	if g.expires && !time.Now().Before(g.result.Expires) {
		return oauth.BadToken(oauth.ReasonExpired)
	}
	return g.judge(g.guard.checkAgain(ctx, &g.result, g.expires), time.Now())
}

// checkAgain asks the newest configuration that is under way over the same store: it knows best
// who is who.
func (l *RequireLogin) checkAgain(ctx context.Context, result *site.Result, expires bool) error {
	issuer := l.app.backend.newest()
	if issuer == nil {
		issuer = l.app.backend.issuer
	}
	if err := issuer.Sites().Check(ctx, result.Claims); err != nil {
		return err
	}
	var newest *site.Site
	if app := serving.app(); app != nil && app.backend != nil && app.backend.shared == l.app.backend.shared {
		newest = app.sites[result.Origin()]
	}
	return l.bound.Load().guard.CheckAgain(ctx, result, newest, expires)
}

// Tell tells that the request was ended.
func (g *sessionGrant) Tell(err error) {
	g.guard.app.streams.observer.Happened(context.Background(), oauth.Event{
		Kind: oauth.EventStreamEnded, Outcome: oauth.Outcome(oauth.AsError(err).Reason),
		Client: g.result.Claims.ClientID, Subject: g.result.Claims.Subject, Cause: err,
	})
}

// serveWhile serves a request for as long as its session lives.
func (l *RequireLogin) serveWhile(result site.Result, r *http.Request, next caddyhttp.Handler) error {
	if l.Streams == streamsKeep {
		return next.ServeHTTP(result.Writer, r)
	}
	expires := l.Streams == streamsUntilExpiry || l.Streams == "" && openEnded(r)
	g := &sessionGrant{guard: l, result: result, expires: expires}
	g.begin(l.app.backend.maxLag())
	return l.app.streams.Serve(result.Writer, r, g, next)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*RequireLogin)(nil)
	_ caddyhttp.MiddlewareHandler = (*RequireLogin)(nil)
)
