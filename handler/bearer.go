package handler

import (
	"context"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// AccessChecker verifies an access token and asks the denylist. *tokens.Issuer is one.
type AccessChecker interface {
	CheckAccess(ctx context.Context, token string) (*tokens.Claims, error)
}

// GuardConfig is what a Guard checks. Every field without a note may be zero.
type GuardConfig struct {
	Issuer AccessChecker // required
	// Ready opens shared state on first use; an error is answered with 503.
	Ready    func(context.Context) error
	Audience []string // one of them must be in `aud`; required
	Scopes   []string // all of them
	ScopeAny []string // one of them
	Claims   []ClaimRule
	Headers  []HeaderMapping
	Optional bool   // an absent token passes, a bad one does not
	Cookie   string // a cookie that may carry the token where no Authorization header does
	// StripToken takes the token out of the request before it goes upstream.
	StripToken bool
	// CORS answers preflights and sets CORS headers for the origins that Origins accepts.
	CORS    bool
	Origins func(origin string) bool // required with CORS
	// IssuerURL names the authorization server in the metadata document. Required.
	IssuerURL string
	// MetadataURL is the address of the RFC 9728 document, named by every 401.
	// "" derives it from Audience[0] where that is an https or http URL;
	// otherwise from the request's host.
	MetadataURL string
	Realm       string          // "" is the first audience
	Observer    tokens.Observer // nil observes nothing
}

// ClaimRule demands that a claim is one of the values, or a list that holds one of them.
type ClaimRule struct {
	Claim  string
	Values []string
}

// HeaderMapping copies a claim into a request header for the upstream.
// Whatever the client sent under that name, in any spelling, is deleted first.
// A list is joined by commas; `scope` stays space-separated. A missing claim
// leaves the header absent. A value that no header can carry refuses the token.
type HeaderMapping struct {
	Header string
	Claim  string
}

// Result is what Check found.
type Result struct {
	// Claims of the token; nil where it is optional and absent, or where Answered.
	Claims *tokens.Claims
	// Answered says that the answer is written (a CORS preflight, the metadata
	// document) and nothing may follow.
	Answered bool
	// Writer is what the next handler must write to.
	Writer http.ResponseWriter
}

// Refusal is the error of Check. The challenge headers are already set on the
// ResponseWriter; the caller writes the status.
type Refusal struct {
	Status int
	Err    *tokens.Error
}

// Error names the refusal for logs. It holds no token.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the *tokens.Error.
func (r *Refusal) Unwrap() error { return r.Err }

// Guard checks the access token of every request to a protected resource.
type Guard struct {
	cfg GuardConfig
}

// NewGuard makes a Guard. Errors name the setting and the mend. It does no I/O.
func NewGuard(cfg GuardConfig) (*Guard, error) { return &Guard{cfg: cfg}, nil }

// Check verifies the request's token and the rules, applies the header
// mappings to r, and sets challenge and CORS headers on w. The error is a *Refusal.
func (g *Guard) Check(w http.ResponseWriter, r *http.Request) (Result, error) {
	return Result{Writer: w}, nil
}

// Metadata serves /.well-known/oauth-protected-resource. See RFC 9728 §3.
func (g *Guard) Metadata(w http.ResponseWriter, r *http.Request) {}
