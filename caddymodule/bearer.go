package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/handler/identity"
)

func init() {
	caddy.RegisterModule(BearerAuth{})
}

// BearerAuth guards a route with access tokens from the `oauth` app, and from other issuers
// that you list. If you use only other issuers, you do not need the `oauth` app. A request
// passes if its token is valid, is for one of the audiences, has the required scopes and
// claims, and has not been revoked. All other requests are answered as RFC 6750 requires,
// through `handle_errors` if there is one.
//
// The placeholder `{http.auth.user.id}` then holds the token's subject, and
// `{http.auth.user.<claim>}` holds any of its claims. If the token is from another issuer, the
// subject is `<iss>|<sub>`. A dot steps into an object. Lists are joined with commas, and a
// comma in an element becomes `%2C`.
//
// It also serves the RFC 9728 document that tells clients which authorization server to ask.
// The document is at `/.well-known/oauth-protected-resource`, followed by the path of the first
// audience if that is a URL with a path. The directive serves it for the whole site even if it
// has a matcher, and removes the headers that it sets from all requests to the site.
type BearerAuth struct {
	// What the token must be for: at least one of these. Each is the identifier of an API of
	// the `oauth` app, or an `aud` that another issuer puts in its tokens. Default: none, it is
	// required.
	Audience []string `json:"audience,omitempty"`

	// Scopes that the token must have, all of them. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// Scopes of which the token must have at least one. Default: none.
	ScopeAny []string `json:"scope_any,omitempty"`

	// Rules for the token's claims, all of which must hold. Default: none.
	Claims []ClaimRule `json:"claims,omitempty"`

	// Groups of this gateway. The token's person must be in at least one of them; if there are
	// several lines, every line must hold. Anybody else gets a 403 and is not asked to sign in,
	// because signing in would not help. The `api` of each audience must have
	// `token_claims groups`. A person who leaves a group keeps access until their access token
	// expires. Default: everybody.
	For [][]string `json:"for,omitempty"`

	// Claims that the upstream gets as request headers. An `email` is passed on only if it is
	// verified, or if it is from another issuer that does not say it is unverified. Default:
	// none.
	Headers []ClaimHeader `json:"headers,omitempty"`

	// Ways to sign in, as named by the token's `acr`. The token's user must have used one of
	// them. Others are asked to step up (RFC 9470). Default: any.
	ACR []string `json:"acr,omitempty"`

	// How long ago the token's user may have signed in, as given by the token's `auth_time`, in
	// whole seconds. Others are asked to sign in again (RFC 9470). Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Other issuers whose tokens are accepted as well. Default: none.
	Issuers []*BearerIssuer `json:"issuers,omitempty"`

	// Whether to let requests without a token pass. Requests with a bad token never pass, and
	// neither do requests whose token is ambiguous because a cookie was sent twice or comes
	// from another site. Default: false
	Optional bool `json:"optional,omitempty"`

	// A cookie that can carry the token if there is no Authorization header. Requests that
	// change something, and WebSockets, need an `Origin` or `Sec-Fetch-Site` header that shows
	// that they come from this origin or an allowed one. Pages of allowed origins can send the
	// cookie and read the response (`Access-Control-Allow-Credentials`). Responses to requests
	// with this cookie stay out of shared caches (`Cache-Control: private`, `Vary: Cookie`).
	// Default: none.
	Cookie string `json:"cookie,omitempty"`

	// A header that can carry the token, without a scheme before it, such as
	// `Cf-Access-Jwt-Assertion` from a proxy in front. If the header is present, the
	// Authorization header is ignored. Responses to requests with this header stay out of
	// shared caches. Default: none.
	TokenHeader string `json:"token_header,omitempty"`

	// Whether to remove every token from the request before it goes upstream: bearer tokens,
	// DPoP tokens and their proof, the configured cookie and header, and `access_token` in the
	// query. Default: false
	StripToken bool `json:"strip_token,omitempty"`

	// Whether tokens must be bound to a DPoP key (RFC 9449). Bound tokens always need a proof.
	// Without this option, unbound tokens pass as well. Default: false
	DPoPRequired bool `json:"dpop_required,omitempty"`

	// The origins at which clients reach this site, for their DPoP proofs. Set them if a proxy
	// in front is not in `trusted_proxies`, or if the site answers to any host. Default: the
	// request's origin, as Caddy trusts it
	DPoPOrigins []string `json:"dpop_origins,omitempty"`

	// Whether to leave CORS to the upstream. Otherwise, the guard answers preflights and sets
	// the headers for the origins of clients that can use this API. With this option,
	// preflights pass without a token if they look as a browser sends them: without a body,
	// cookies, or `Authorization`. Every other request needs a token. Default: false
	NoCORS bool `json:"no_cors,omitempty"`

	// The URL of the RFC 9728 document, if another site serves it. Default: derived from the
	// audience, or from the host.
	MetadataURL string `json:"metadata_url,omitempty"`

	// Whether to do everything that MCP clients expect of a resource. The RFC 9728 document is
	// served for every path below the first audience, which must be a URL, and at the root.
	// Challenges name the document of the request's path. Pages of any origin can read
	// responses, without credentials. If signing in would not help, the answer is a plain 403.
	// When a token expires, only a stream opened by a GET ends; a tool call runs to its end.
	// Default: false
	MCP bool `json:"mcp,omitempty"`

	// The realm of the challenge. Default: the first audience
	Realm string `json:"realm,omitempty"`

	// How long a request in progress can continue. When its token is revoked, every request
	// ends within `max_lag`. When its token expires, WebSockets and server-sent events (a GET
	// that accepts `text/event-stream`) end, but a download, upload, or call in progress can
	// finish. With `until_expiry`, those end at expiry, too. With `until_revoked`, nothing ends
	// at expiry. With `keep`, nothing ends at all. Default: as described
	Streams string `json:"streams,omitempty"`

	// Whether to check nothing, and only do for the whole site what a guard with a matcher
	// cannot do for requests that do not match: serve the RFC 9728 document, and remove the
	// headers in `headers` that clients sent. If the directive has a matcher, it adds such a
	// handler behind the guard's own. A configuration with this handler but without a guard
	// that has the same options is refused. Default: false
	SiteOnly bool `json:"site_only,omitempty"`

	guard    *guard.Guard
	observer *events.Observer
	guards   *guards // all of the configuration
	streams  *sharedStreams
	backend  *backend // nil where there are tokens of other issuers alone
}

// ClaimRule is a requirement for one claim of the token.
type ClaimRule struct {
	// The name of the claim; a dot steps into an object. Default: none, it is required.
	Claim string `json:"claim,omitempty"`

	// The accepted values. The claim must be one of them, or a list that contains one. Default:
	// none; one is required.
	Values []string `json:"values,omitempty"`
}

// ClaimHeader passes one claim to the upstream.
type ClaimHeader struct {
	// The request header. Whatever the client sent under this name is deleted first, in any
	// spelling (CGI treats every special character as `_` and ignores case), and from the
	// trailers, too. Default: none, it is required.
	Header string `json:"header,omitempty"`

	// The name of the claim; a dot steps into an object. If the token does not have the claim,
	// or it is an empty list, the header is not set. The elements of a list are joined with
	// commas, and an object is written as JSON. Default: none, it is required.
	Claim string `json:"claim,omitempty"`

	// How the value is encoded. With `percent`, everything but visible ASCII, and the percent
	// sign itself, is percent-encoded as UTF-8. With `raw`, printable characters are sent as
	// they are, in UTF-8. With `latin1`, those of ISO 8859-1 are sent in that encoding. Every
	// encoding percent-encodes control characters, spaces at the ends, commas in the elements
	// of a list, and what the encoding cannot represent. A `sub` is encoded only if you write
	// `percent`; otherwise, a token whose `sub` is not visible ASCII is refused. Default:
	// `percent`
	Encoding identity.Encoding `json:"encoding,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (BearerAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.bearer_auth",
		New: func() caddy.Module { return new(BearerAuth) },
	}
}
