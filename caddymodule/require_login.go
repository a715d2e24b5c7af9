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

// RequireLogin makes people sign in at the authorization server of the `oauth` app before they
// can use the site behind it, such as a wiki, a dashboard, or an admin page, and tells the site
// who they are. Browsers are sent to sign in and come back to the page that was requested; all
// other requests get a 401 with a problem document (RFC 9457).
//
// The session is a cookie of this origin. It is listed at `/account`, ends when everything else
// of a person ends, and is shared by all `require_login` of the origin, whose rules can differ.
//
// The placeholder `{http.auth.user.id}` holds the person's subject, and
// `{http.auth.user.<claim>}` what is known about them, such as `email`, `name`, or `groups`.
//
// It also serves `/.gatehouse/login`, `callback`, `logout`, and `session`, and removes headers
// that identify people from requests. The directive does this for the whole site, even if it
// has a matcher.
type RequireLogin struct {
	// The origins of the site, such as `https://wiki.example.com`. Required for wildcard sites,
	// for sites for all hosts, and for sites that are http here because TLS ends before Caddy.
	// Default: the hosts of its site, if they are https or on this machine
	Origins []string `json:"origins,omitempty"`

	// Groups of this gateway. A person must be in at least one of them; if there are several
	// lines, every line must hold. Default: everybody who can sign in.
	For [][]string `json:"for,omitempty"`

	// The logins whose people are let in. Default: all.
	Logins []string `json:"logins,omitempty"`

	// Paths that need no session, as in Caddy's `path` matcher. Requests for them continue
	// without the headers that identify people. Default: none.
	Public []string `json:"public,omitempty"`

	// Whether files that browsers fetch without cookies and that robots read need no session:
	// `/robots.txt`, `/favicon.ico`, `/manifest.json`, and touch icons. Default: false
	PublicAssets bool `json:"public_assets,omitempty"`

	// Claims that the upstream gets as request headers. An `email` is passed on only if it is
	// verified. Default: none.
	Headers []ClaimHeader `json:"headers,omitempty"`

	// Sets of headers for well-known programs, by name: `grafana`, `gitea`, `remote`
	// (Remote-User), `forwarded` (X-Forwarded-User). Default: none.
	Presets []string `json:"presets,omitempty"`

	// An access token of the person that is sent upstream. Default: none.
	UpstreamToken *SiteToken `json:"upstream_token,omitempty"`

	// The identifier of an API whose access tokens let programs in without a session. Default:
	// none.
	Bearer string `json:"bearer,omitempty"`

	// Whether the app keys that people create at `/account` let programs in, as bearer tokens
	// or as the password of HTTP Basic. Default: false
	Keys bool `json:"keys,omitempty"`

	// How long after sign-in a session ends. It never outlasts the session at the authorization
	// server. Default: `12h`
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long after the last request a session ends; 0 means no limit. Default: `1h`
	IdleLifetime *caddy.Duration `json:"idle_lifetime,omitempty"`

	// What keeps a session alive: `any` request, or only what `people` do: opening pages and
	// requests that change something. With `people`, a page that polls does not keep the
	// session alive. Default: `any`
	Activity string `json:"activity,omitempty"`

	// Ways to sign in, as named by `acr`. A person must have used one of them; others are asked
	// to. Default: any.
	ACR []string `json:"acr,omitempty"`

	// How long ago people may have proved who they are. Others are asked to do it again.
	// Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Origins whose pages can send requests on behalf of the signed-in person and read the
	// responses, such as a dashboard that shows data from here. Browsers send the cookie only
	// for pages of the same site, so these origins must share the registrable domain; others
	// can use `bearer` or `keys`. Default: none but the site's own
	AllowOrigins []string `json:"allow_origins,omitempty"`

	// How a browser is sent to sign in: through a `page`, which keeps the part of the address
	// after `#`, or with a `redirect` immediately. Default: `page`
	Start string `json:"start,omitempty"`

	// What responses tell caches: `private` keeps them out of shared caches, `keep` leaves it
	// to the upstream. Default: `private`
	Cache string `json:"cache,omitempty"`

	// How long WebSockets and other requests can continue, as in `bearer_auth`. Default: as
	// there
	Streams string `json:"streams,omitempty"`

	// Whether to check nothing, and only do for the whole site what a guard with a matcher
	// cannot do for requests that do not match. If the directive has a matcher, it adds such a
	// handler behind the guard's own. A configuration with this handler but without the guard
	// is refused. Default: false
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

// SiteToken is an access token that is sent upstream.
type SiteToken struct {
	// The identifier of the API that the token is for. Default: none, it is required.
	API string `json:"api,omitempty"`

	// The scopes that the token has at most; the person may have fewer. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// The request header that contains only the token. Default: `Authorization`, as a bearer
	// token; replaces what the client sent in it
	Header string `json:"header,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (RequireLogin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.require_login",
		New: func() caddy.Module { return new(RequireLogin) },
	}
}
