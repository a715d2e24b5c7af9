package caddymodule

import (
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/site"
)

func init() {
	caddy.RegisterModule(RequireLogin{})
}

// RequireLogin makes people sign in at the authorization server of the `oauth` app before
// they see what stands behind it: a wiki, a dashboard, an admin page. It passes on who they
// are. Browsers are shown the way to sign in and come back to the page that they wanted; all
// other requests get 401 with a problem document (RFC 9457).
//
// The session is a cookie of this origin. It stands at `/account`, ends as everything else
// of a person ends, and is one for all `require_login` of the origin, whose rules may differ.
//
// The placeholder `{http.auth.user.id}` is the person's subject, and
// `{http.auth.user.<claim>}` what is known of them, such as `email`, `name` or `groups`.
//
// It also serves `/.gatehouse/login`, `callback`, `logout` and `session`, and takes headers
// that say who somebody is out of requests. The directive does so for the whole site, also
// where it has a matcher.
type RequireLogin struct {
	// The origins that it stands at, such as `https://wiki.example.com`. Sites for a wildcard
	// or for all hosts, and sites that are http here since TLS ends before Caddy, have to
	// say them. Default: the hosts of its site, where they are https or on this machine
	Origins []string `json:"origins,omitempty"`

	// The groups of this gateway of which a person must be in one; a further line must hold
	// as well. Default: everybody who can sign in.
	For [][]string `json:"for,omitempty"`

	// The logins whose people may come in. Default: all.
	Logins []string `json:"logins,omitempty"`

	// Paths that need no session, as Caddy's `path` matcher has them. Requests for them
	// go on without the headers that say who somebody is. Default: none.
	Public []string `json:"public,omitempty"`

	// Whether what browsers fetch without cookies and robots read needs no session:
	// `/robots.txt`, `/favicon.ico`, `/manifest.json`, touch icons. Default: false
	PublicAssets bool `json:"public_assets,omitempty"`

	// Claims that the upstream gets as request headers. An `email` is passed on only where
	// it is verified. Default: none.
	Headers []ClaimHeader `json:"headers,omitempty"`

	// Sets of headers that well-known programs read, by name: `grafana`, `gitea`, `remote`
	// (Remote-User), `forwarded` (X-Forwarded-User). Default: none.
	Presets []string `json:"presets,omitempty"`

	// An access token of the person that goes upstream. Default: none.
	UpstreamToken *SiteToken `json:"upstream_token,omitempty"`

	// The identifier of an API whose access tokens let programs in, in the place of a
	// session. Default: none.
	Bearer string `json:"bearer,omitempty"`

	// Whether the app keys that people make at `/account` let programs in, as bearer
	// tokens or as the password of HTTP Basic. Default: false
	Keys bool `json:"keys,omitempty"`

	// How long a session lasts from the sign-in on. It never outlasts the session at
	// the authorization server. Default: `12h`
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// After how long without a request a session ends, or up to a quarter of that later, and ten
	// minutes at most; 0 for no such limit. Default: `1h`
	IdleLifetime *caddy.Duration `json:"idle_lifetime,omitempty"`

	// What keeps a session alive: `any` request, or those of `people`: pages that are
	// opened and what changes something, so that a page that polls does not. Default: `any`
	Activity string `json:"activity,omitempty"`

	// The ways to log in of which a person must have used one, by their `acr`. Others are
	// asked to do so. Default: any.
	ACR []string `json:"acr,omitempty"`

	// How long ago a person may have proved who they are. Others are asked to again.
	// Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Origins whose pages may send requests in the name of who is signed in, and read the
	// answers: those of a dashboard that shows what is here. Browsers send the cookie to pages
	// of this site alone, so they are of one registrable domain; others can come by `bearer` or
	// `keys`. Default: none but the site's own
	AllowOrigins []string `json:"allow_origins,omitempty"`

	// How a browser is sent to sign in: by a `page`, which keeps what follows the `#` of an
	// address, or by a `redirect` at once. Default: `page`
	Start string `json:"start,omitempty"`

	// What answers tell caches: `private` keeps them out of shared ones, `keep` leaves it to
	// the upstream. Default: `private`
	Cache string `json:"cache,omitempty"`

	// For how long WebSockets and other requests go on, as at `bearer_auth`.
	// Default: as there
	Streams string `json:"streams,omitempty"`

	// Check nothing: only do for all of the site what a guard with a matcher cannot do
	// where its matcher does not match. The directive with a matcher makes such a handler
	// behind the guard's own; without that one the configuration is refused. Default: false
	SiteOnly bool `json:"site_only,omitempty"`

	app    *App
	public caddyhttp.MatchPath
	bearer *BearerAuth
	beside *RequireLogin              // the guard that a handler for the rest of the site belongs to
	bound  *atomic.Pointer[boundSite] // nil in it until the app has started
}

// boundSite is a guard that knows where it stands.
type boundSite struct {
	guard *site.Guard
	any   *site.Site            // one of its sites
	all   map[string]*site.Site // of all guards, by origin
}

// SiteToken is an access token that goes upstream.
type SiteToken struct {
	// The identifier of the API that it is for. Default: none, it is required.
	API string `json:"api,omitempty"`

	// The scopes that it has at most; the person may have fewer. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// The request header that holds the token alone. Default: `Authorization`, as a
	// bearer token; what the client has sent in it is replaced
	Header string `json:"header,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (RequireLogin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.require_login",
		New: func() caddy.Module { return new(RequireLogin) },
	}
}
