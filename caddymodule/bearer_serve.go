package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

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
		return answerRefusal(w, r, err, b.observer)
	}
	if result.Answered {
		return nil
	}
	setUser(r, result.Claims)
	return b.serveWhile(result.Writer, r, result.Claims, next)
}

// document returns the guard whose document a request asks for, or nil: the
// one whose audience has this very host and path, else this one by its path alone.
func (b *BearerAuth) document(r *http.Request) *guard.Guard {
	path := originalPath(r)
	if !strings.HasPrefix(path, guard.MetadataPath) {
		return nil
	}
	_, host, _ := strings.Cut(oauth.OriginOf(clientOrigin(r)), "://")
	if g := b.guards.documents[host+path]; g != nil {
		return g
	}
	if b.guard.ServesMetadata(path) {
		return b.guard
	}
	return nil
}

// requestURLs returns what the client has sent a request to, as its proof must
// name it: before rewrites, and as the outermost proxy that Caddy trusts saw it.
//
// The Host is the client's own word, and that is safe where the site has a
// name: Caddy would not have brought a request for another one here. Where a
// site answers to any name, somebody who has caught a proof that was made for
// another server, and its token, could send both here under that server's name;
// dpop_origin is for such sites.
func (b *BearerAuth) requestURLs(r *http.Request) []string {
	path := originalEscapedPath(r)
	if len(b.DPoPOrigins) == 0 {
		return []string{clientOrigin(r) + path}
	}
	urls := make([]string, len(b.DPoPOrigins))
	for i, origin := range b.DPoPOrigins {
		urls[i] = origin + path
	}
	return urls
}

// answerRefusal answers a request that guard.Guard has refused, or hands it on to
// `handle_errors`.
func answerRefusal(w http.ResponseWriter, r *http.Request, err error, observer oauth.Observer) error {
	status := http.StatusInternalServerError
	if refusal, ok := errors.AsType[*guard.Refusal](err); ok {
		status = refusal.Status
	}
	if status == http.StatusServiceUnavailable {
		unavailable(r.Context(), err, observer)
	}
	forgetAnswer(w.Header())
	sayPlainText(w, r, status)
	if answersItself(r, status) {
		w.WriteHeader(status)
		return nil
	}
	return caddyhttp.Error(status, err)
}

// originalEscapedPath returns the path that the client has sent a request to, before rewrites.
func originalEscapedPath(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.URL.EscapedPath()
	}
	return r.URL.EscapedPath()
}

// unavailable tells that a guard could not be sure about a token.
func unavailable(ctx context.Context, err error, observer oauth.Observer) {
	if e, ok := errors.AsType[*oauth.Error](err); ok && e.Reason == oauth.ReasonStore && ctx.Err() == nil {
		observer.Happened(ctx, oauth.Event{Kind: oauth.EventStoreTrouble, Outcome: oauth.OutcomeGuard, Cause: e.Cause})
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
