package caddymodule

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/handler/streams"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// The values of BearerAuth.Streams.
const (
	streamsUntilExpiry  = "until_expiry"
	streamsUntilRevoked = "until_revoked"
	streamsKeep         = "keep"
)

// streamsPool holds the one registry of requests under way that this process has: they
// outlive the configuration that let them in.
var streamsPool = caddy.NewUsagePool()

const streamsKey = "streams"

// sharedStreams is the registry with the observers of the configurations that use it.
// What happens is told to the newest of these.
type sharedStreams struct {
	*streams.Registry

	observer *events.SharedObserver
}

// Destruct ends the background work.
func (s *sharedStreams) Destruct() error {
	s.Close()
	return nil
}

// takeStreams takes the registry for a configuration, or makes it.
func takeStreams(heard *events.Observer) (*sharedStreams, error) {
	value, _, err := streamsPool.LoadOrNew(streamsKey, func() (caddy.Destructor, error) {
		observer := new(events.SharedObserver)
		return &sharedStreams{streams.New(oauth.ReportRecovered(observer, oauth.OutcomeStreams)), observer}, nil
	})
	if err != nil {
		return nil, err
	}
	shared := value.(*sharedStreams)
	shared.observer.Enter(heard)
	return shared, nil
}

// release gives it back. A nil s has nothing.
func (s *sharedStreams) release(heard *events.Observer) error {
	if s == nil {
		return nil
	}
	s.observer.Leave(heard)
	_, err := streamsPool.Delete(streamsKey)
	return err
}

// openEnded reports whether a request is for something that has no end of its own: a
// connection for another protocol, such as a WebSocket (over HTTP/2 a CONNECT,
// RFC 8441), or server-sent events.
func openEnded(r *http.Request) bool {
	switch r.Method {
	case http.MethodConnect:
		return true
	case http.MethodGet:
		return r.Header.Get("Upgrade") != "" || strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	}
	return false
}

// belief is for how long a request goes on while nobody can say whether it may: as long as
// a new one would be let in, so that a moment of the store's ends no upload.
type belief struct {
	maxLag time.Duration
	sure   atomic.Int64 // when it was last known that it may: nanoseconds since started
}

// started is where belief counts from; each request has one, which is to cost no memory of its own.
var started = time.Now()

// begin notes that the request was just let in.
func (b *belief) begin(maxLag time.Duration) {
	b.maxLag = maxLag
	b.know(time.Now())
}

func (b *belief) know(now time.Time) { b.sure.Store(int64(now.Sub(started))) }

// judge is what an answer means.
func (b *belief) judge(err error, now time.Time) error {
	switch {
	case err == nil:
		b.know(now)
	case oauth.AsError(err).Code == oauth.TemporarilyUnavailable && now.Sub(started)-time.Duration(b.sure.Load()) < b.maxLag:
		return nil
	}
	return err
}

// tokenGrant is what a request lives by that a token has let in.
type tokenGrant struct {
	belief

	guard   *BearerAuth
	claims  *verify.Claims
	expires bool // the token's own end counts, too
}

// Ended asks whether the token would still let a request in.
func (g *tokenGrant) Ended(ctx context.Context) error {
	return g.judge(g.guard.checkAgain(ctx, g.claims, g.expires), time.Now())
}

// Tell tells that the request was ended.
func (g *tokenGrant) Tell(err error) {
	event := oauth.Event{
		Kind: oauth.EventStreamEnded, Outcome: oauth.Outcome(oauth.AsError(err).Reason),
		API: g.guard.Audience[0], Subject: g.claims.Subject, Cause: err,
	}
	if g.claims.Foreign() {
		event.Issuer = g.claims.Issuer
	} else {
		event.Client = g.claims.ClientID
	}
	g.guard.streams.observer.Happened(context.Background(), event)
}

// serveWhile serves a request for as long as its token is good. See BearerAuth.Streams.
func (b *BearerAuth) serveWhile(w http.ResponseWriter, r *http.Request, claims *verify.Claims, next caddyhttp.Handler) error {
	if claims == nil || b.Streams == streamsKeep {
		return next.ServeHTTP(w, r)
	}
	expires := b.Streams == streamsUntilExpiry || b.Streams == "" && openEnded(r)
	g := &tokenGrant{guard: b, claims: claims, expires: expires}
	g.begin(b.backend.maxLag())
	return b.streams.Serve(w, r, g, next)
}

// checkAgain asks the newest configuration that is under way over the same store: it
// knows best who is who.
func (b *BearerAuth) checkAgain(ctx context.Context, claims *verify.Claims, expires bool) error {
	if newest := b.backend.newest(); newest != nil && !claims.Foreign() {
		return newest.CheckAgain(ctx, claims, expires)
	}
	return b.guard.CheckAgain(ctx, claims, expires)
}
