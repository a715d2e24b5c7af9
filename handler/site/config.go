package site

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Issuer is the authorization server, as far as a site needs it. Errors are *oauth.Error:
// TemporarilyUnavailable where the store cannot be asked, others for what is over or refused.
type Issuer interface {
	// Begin returns the parameters with which the browser goes to the authorization endpoint.
	Begin(ctx context.Context, r sites.Request) (url.Values, error)
	// Finish redeems a code and begins the session. That of the cookie that the browser had
	// before is ended.
	Finish(ctx context.Context, r sites.Return) (*sites.Begun, error)
	// Session asks the store about the session of a cookie. Where it counts as used, its idle
	// end moves.
	Session(ctx context.Context, origin, cookie string, life sites.Life, used bool) (*sites.Session, error)
	// IsKey reports whether an app key was made for the site at an origin; it may be over.
	IsKey(origin, key string) bool
	// Key is Session for an app key.
	Key(ctx context.Context, origin, key string) (*sites.Session, error)
	// Check returns nil for a session that nobody has ended since it was asked about.
	Check(ctx context.Context, c *verify.Claims) error
	// End ends the single sign-on session that a session came of, and all that came of it. It
	// returns the parameters with which the browser goes to SiteConfig.SignedOutURL.
	End(ctx context.Context, c *verify.Claims) (url.Values, error)
	// Seal and Open seal what a browser carries for the site at an origin, for one use.
	Seal(origin, use string, plain []byte) string
	Open(origin, use, sealed string) ([]byte, bool)
	// Now is the store's time.
	Now() time.Time
}

// SiteConfig is what all guards of an origin share. Every field without a note is required.
type SiteConfig struct { //nolint:revive // Config is that of a guard
	Origin string // https, or http on loopback; no slash at the end
	Issuer Issuer
	// IssuerURL is the issuer as it is emitted, AuthorizeURL its authorization endpoint,
	// and SignedOutURL its logout endpoint, where somebody lands who has signed out.
	IssuerURL, AuthorizeURL, SignedOutURL string
	Pages                                 *pages.Set
	Life                                  sites.Life
	// AllowStale is how long a session is believed while the store does not answer, beyond
	// the usual time; 0 for not at all.
	AllowStale time.Duration
	// Ready opens shared state on first use; an error is answered with 503. Nil for none.
	Ready func(context.Context) error
	// Original returns the URL that the client asked for, ahead of rewrites. Nil takes r.URL.
	Original func(*http.Request) *url.URL
	Observer oauth.Observer // nil observes nothing
	// MaxSessions is how many sessions the node holds of this origin; 0 is DefaultMaxSessions.
	MaxSessions int
}
