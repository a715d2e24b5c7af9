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

// BearerAuth guards a route with the access tokens of the `oauth` app, and of
// other issuers where it names them; with those alone it needs no `oauth` app. A
// request passes when its token is valid, made for one of the audiences,
// carries the scopes and claims that are asked for, and has not been revoked.
// All others are answered as RFC 6750 says, through `handle_errors` where there is one.
//
// The placeholder `{http.auth.user.id}` is then the token's subject (with its
// issuer in front, `<iss>|<sub>`, where that is another one), and
// `{http.auth.user.<claim>}` any of its claims; a dot steps into an object, and
// lists are joined by commas, with `%2C` for a comma in an element.
//
// It also serves the RFC 9728 document that tells clients which authorization
// server to ask, at `/.well-known/oauth-protected-resource` with the path of the
// first audience behind it, where that is a URL with a path. The directive does so
// for the whole site, also where it has a matcher, and takes the headers that it
// sets out of all requests of the site.
type BearerAuth struct {
	// What the token must be made for: at least one of these. Each is the
	// identifier of an API of the `oauth` app, or what the tokens of other
	// issuers have as their `aud`. Default: none, it is required.
	Audience []string `json:"audience,omitempty"`

	// Scopes that the token must have, all of them. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// Scopes of which the token must have one. Default: none.
	ScopeAny []string `json:"scope_any,omitempty"`

	// What the token's claims must say, every rule of it. Default: none.
	Claims []ClaimRule `json:"claims,omitempty"`

	// The groups of this gateway of which the token's person must be in one; a further line
	// must hold as well. Anybody else gets 403, and no login is asked for, since none
	// would help. The `api` of each audience has to have `token_claims groups`. A
	// group that somebody loses counts until their access token ends. Default: everybody.
	For [][]string `json:"for,omitempty"`

	// Claims that the upstream gets as request headers. Default: none.
	Headers []ClaimHeader `json:"headers,omitempty"`

	// The ways to log in of which the token's user must have used one, as the
	// token's `acr` says. Others are asked to step up (RFC 9470). Default: any.
	ACR []string `json:"acr,omitempty"`

	// How long ago the token's user may have logged in, as its `auth_time` says, in
	// whole seconds.
	// Others are asked to log in again (RFC 9470). Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// Other issuers whose tokens pass as well. Default: none.
	Issuers []*BearerIssuer `json:"issuers,omitempty"`

	// Let requests without a token pass. Those with a bad one never do, nor those
	// whose token cannot be told: a cookie that was sent twice, or comes from
	// another site. Default: false
	Optional bool `json:"optional,omitempty"`

	// A cookie that may carry the token where there is no Authorization header.
	// Requests that change something, and WebSockets, need an `Origin` or
	// `Sec-Fetch-Site` that says that they come from this origin or an allowed one.
	// Pages of allowed origins may send the cookie and read the answer
	// (`Access-Control-Allow-Credentials`), and what it has opened is kept out of
	// shared caches (`Cache-Control: private`, `Vary: Cookie`). Default: none.
	Cookie string `json:"cookie,omitempty"`

	// A header that may carry the token, without a scheme before it, such as
	// `Cf-Access-Jwt-Assertion`, which a proxy in front sets. Where it is there, the
	// Authorization header is not looked at. What it has opened is kept out of
	// shared caches. Default: none.
	TokenHeader string `json:"token_header,omitempty"`

	// Take every token out of the request before it goes upstream: bearer and DPoP
	// ones with their proof, the named cookie and header, `access_token` in the
	// query. Default: false
	StripToken bool `json:"strip_token,omitempty"`

	// Whether tokens have to be bound to a DPoP key (RFC 9449). Those that are
	// pass only with a proof, here as everywhere; without this, others pass as
	// well. Default: false
	DPoPRequired bool `json:"dpop_required,omitempty"`

	// The origins under which clients reach this site, for their DPoP proofs: where
	// a proxy in front is not in `trusted_proxies`, or where the site answers to any
	// host. Default: that of the request, as Caddy trusts it
	DPoPOrigins []string `json:"dpop_origins,omitempty"`

	// Leave CORS to the upstream, instead of answering preflights and setting
	// the headers for the origins of clients that may use this API. Preflights
	// then pass without a token, as a browser sends them: without body, cookies
	// and `Authorization`; every other request needs one. Default: false
	NoCORS bool `json:"no_cors,omitempty"`

	// The URL of the RFC 9728 document, where it is not this site that serves
	// it. Default: derived from the audience, or from the host.
	MetadataURL string `json:"metadata_url,omitempty"`

	// All that an MCP client asks of a resource: the RFC 9728 document at the place of
	// every path below the first audience, which is a URL, and at the root; challenges that name the one of
	// the path; answers to pages of any origin, without credentials; and plain 403 where no
	// login would help. A stream ends when the token expires only if it is a GET: a tool call runs out. Default: false
	MCP bool `json:"mcp,omitempty"`

	// The realm of the challenge. Default: the first audience
	Realm string `json:"realm,omitempty"`

	// For how long a request goes on that its token has let in. Each is ended within
	// `max_lag` when the token is revoked; WebSockets and server-sent events (a GET that
	// accepts `text/event-stream`) also when it expires, while a download, an upload or a
	// call that is under way then finishes. `until_expiry` ends those, too; `until_revoked`
	// ends nothing at the token's expiry, and `keep` nothing at all. Default: as said
	Streams string `json:"streams,omitempty"`

	// Check nothing: only do for all of the site what a guard with a matcher cannot
	// do where its matcher does not match, which is to serve the RFC 9728 document
	// and to take the client's own `headers` out of requests. The directive with a
	// matcher makes such a handler behind the guard's own; without that one, which
	// has the same options, the configuration is refused. Default: false
	SiteOnly bool `json:"site_only,omitempty"`

	guard    *guard.Guard
	observer *events.Observer
	guards   *guards // all of the configuration
	streams  *sharedStreams
	backend  *backend // nil where there are tokens of other issuers alone
}

// ClaimRule is what one claim of the token must say.
type ClaimRule struct {
	// The name of the claim; a dot steps into an object. Default: none, it is required.
	Claim string `json:"claim,omitempty"`

	// The claim must be one of these values, or a list with one of them in it.
	// Default: none; one is required.
	Values []string `json:"values,omitempty"`
}

// ClaimHeader hands one claim to the upstream.
type ClaimHeader struct {
	// The request header. What the client sent under this name, in any spelling
	// (CGI takes every sign for `_`, and knows no case), is deleted first, from the
	// trailers too. Default: none, it is required.
	Header string `json:"header,omitempty"`

	// The name of the claim; a dot steps into an object. A token without it
	// leaves the header absent, and so does an empty list. The elements of a list are
	// joined by commas, an object is written as JSON. Default: none, it is required.
	Claim string `json:"claim,omitempty"`

	// How the value is written. `percent` has all that is not visible ASCII, and the
	// percent sign, percent-encoded as UTF-8; `raw` has printable characters as they are, in
	// UTF-8; `latin1` has those of ISO 8859-1 in that. In each of them control characters,
	// spaces at the ends, commas in the elements of a list, and what the encoding
	// lacks are percent-encoded. A `sub` is never encoded unless `percent` is written:
	// one that is not visible ASCII refuses the token. Default: `percent`
	Encoding identity.Encoding `json:"encoding,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (BearerAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.bearer_auth",
		New: func() caddy.Module { return new(BearerAuth) },
	}
}
