package guard

import (
	"context"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// AccessChecker verifies an access token and asks the denylist. *tokens.Issuer is one.
type AccessChecker interface {
	CheckAccess(ctx context.Context, token string) (*verify.Claims, error)
	// CheckAgain finds out afresh what may have changed about claims that CheckAccess
	// has returned, their time too where expires is set. Errors: as CheckAccess.
	CheckAgain(ctx context.Context, claims *verify.Claims, expires bool) error
}

// Config is what a Guard checks. Every field without a note may be zero.
type Config struct {
	Access AccessChecker // required
	// Ready opens shared state on first use; an error is answered with 503.
	Ready    func(context.Context) error
	Audience []string // one of them must be in `aud`; required
	// Audiences are used in the place of Audience for tokens of these issuers.
	Audiences map[string][]string
	Scopes    []string // all of them
	ScopeAny  []string // one of them
	Claims    []ClaimRule
	// For says whose tokens pass, by the groups of this gateway. A token of another
	// issuer, or of a machine, has none.
	For      people.Rule
	Headers  []identity.Mapping
	StepUp   StepUp
	Optional bool   // an absent token passes, a bad one does not
	Cookie   string // a cookie that may carry the token where no Authorization header does
	// TokenHeader is a header that may carry the token, and nothing else, which a proxy
	// in front sets. Where it is there the Authorization header is not looked at: it
	// may be the upstream's.
	TokenHeader string
	// StripToken takes every token out of the request before it goes upstream.
	StripToken bool
	// Proofs checks the proofs of tokens that are bound to a DPoP key; nil refuses such tokens.
	Proofs dpop.Checker
	// Passage returns what the guards of a request share, the same for all of
	// them; nil where there is one guard at most.
	Passage func(*http.Request) *Passage
	// DPoPRequired refuses tokens that are not bound to a DPoP key.
	DPoPRequired bool
	// ClientOrigin returns the origin that the client has sent a request to, ahead
	// of what proxies made of it. Nil takes what net/http knows.
	ClientOrigin func(*http.Request) string
	// RequestURLs returns what the client has sent a request to, for its proof:
	// absolute, by each name that it goes by. Nil takes what net/http knows.
	RequestURLs func(*http.Request) []string
	// CORS answers preflights and sets CORS headers for the origins that Origins
	// accepts. Without it, Check lets preflights pass without a token.
	CORS    bool
	Origins func(origin string) bool // required with CORS
	// IssuerURL names the authorization server in the metadata document. Required.
	IssuerURL string
	// Servers are the authorization servers in the metadata document, where they
	// are not IssuerURL alone.
	Servers []string
	// MetadataURL is the address of the RFC 9728 document, named by every 401.
	// "" derives it from Audience[0] where that is an https or http URL;
	// otherwise from the request's host.
	MetadataURL string
	// MCP serves what an MCP client asks of a resource: the metadata document of each path
	// below the first audience, which is a URL, and at the root; answers to pages of any origin,
	// without credentials; and 403 without a challenge for what no login can change. Not with Cookie.
	MCP bool
	// Path returns the escaped path that the client has asked for, ahead of rewrites. Nil takes
	// what net/http knows. For MCP.
	Path     func(*http.Request) string
	Realm    string         // "" is the first audience
	Observer oauth.Observer // nil observes nothing
}
