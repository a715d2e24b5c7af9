package handler

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

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
	// Audiences are used in the place of Audience for tokens of these issuers.
	Audiences map[string][]string
	Scopes    []string // all of them
	ScopeAny  []string // one of them
	Claims    []ClaimRule
	Headers   []HeaderMapping
	StepUp    StepUp
	Optional  bool   // an absent token passes, a bad one does not
	Cookie    string // a cookie that may carry the token where no Authorization header does
	// StripToken takes every token out of the request before it goes upstream.
	StripToken bool
	// Proofs checks the proofs of tokens that are bound to a DPoP key; nil refuses such tokens.
	Proofs tokens.ProofChecker
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
	Realm       string          // "" is the first audience
	Observer    tokens.Observer // nil observes nothing
}

// HeaderMapping copies a claim into a request header for the upstream.
// Whatever the client sent under that name, in any spelling, is deleted first.
// A list is joined by commas; `scope` stays space-separated. A missing or
// empty claim leaves the header absent. A value that no header can carry
// refuses the token. `sub` is tokens.Claims.Identity unless `iss` is mapped as
// well, so that the upstream never takes one issuer's user for another's.
type HeaderMapping struct {
	Header string
	Claim  string
}

// Result is what Check found.
type Result struct {
	// Claims of the token; nil where it is optional and absent, where Answered, and
	// for a preflight that is the next handler's to answer.
	Claims *tokens.Claims
	// Answered says that the answer is written (a CORS preflight, the metadata
	// document) and nothing may follow.
	Answered bool
	// Writer is what the next handler must write to.
	Writer http.ResponseWriter
}

// Refusal is the error of Check. The challenge headers are already set on the
// ResponseWriter; the caller writes the status.
type Refusal struct { //nolint:errname // it is a verdict, and a name of the package's interface
	Status int
	Err    *tokens.Error
}

// Error names the refusal for logs. It holds no token.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the *tokens.Error.
func (r *Refusal) Unwrap() error { return r.Err }

// Guard checks the access token of every request to a protected resource.
// Safe for concurrent use.
type Guard struct {
	cfg      GuardConfig
	headers  []headerRule
	names    headerNames // of headers
	anySub   bool        // no rule on `iss` says whose `sub` another rule means
	scope    string      // that a token needs, for challenges
	realm    string      // Bearer realm="…"
	resource resource
}

// NewGuard makes a Guard. Errors name the setting and the fix. It does no I/O.
func NewGuard(cfg GuardConfig) (*Guard, error) {
	switch {
	case cfg.Issuer == nil || cfg.IssuerURL == "":
		return nil, errors.New("making guard: Issuer and IssuerURL are required")
	case len(cfg.Audience) == 0:
		return nil, errors.New("making guard: at least one audience is required; a token for any other API would pass")
	case cfg.CORS && cfg.Origins == nil:
		return nil, errors.New("making guard: CORS needs Origins")
	case cfg.DPoPRequired && cfg.Proofs == nil:
		return nil, errors.New("making guard: DPoPRequired needs Proofs")
	}
	if cfg.Observer == nil {
		cfg.Observer = tokens.NopObserver{}
	}
	if cfg.Ready == nil {
		cfg.Ready = func(context.Context) error { return nil }
	}
	if cfg.RequestURLs == nil {
		cfg.RequestURLs = requestURLs
	}
	if cfg.ClientOrigin == nil {
		cfg.ClientOrigin = sameHost
	}
	if cfg.Realm == "" {
		cfg.Realm = cfg.Audience[0]
	}
	cfg.Audience, cfg.Scopes, cfg.ScopeAny = shared(cfg.Audience), shared(cfg.Scopes), shared(cfg.ScopeAny)
	rules, err := headerRules(cfg.Headers)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		cfg:     cfg,
		headers: rules,
		anySub:  !slices.ContainsFunc(cfg.Claims, func(r ClaimRule) bool { return r.Claim == "iss" }),
		realm:   `Bearer realm="` + quotable(cfg.Realm) + `"`,
		scope:   strings.Join(slices.Concat(cfg.Scopes, cfg.ScopeAny[:min(1, len(cfg.ScopeAny))]), " "),
	}
	for _, rule := range rules {
		g.names.add(rule.name)
	}
	g.resource, err = newResource(cfg)
	return g, err
}

// shared returns the texts where tokens keep theirs.
func shared(list []string) []string {
	list = slices.Clone(list)
	for i, text := range list {
		list[i] = tokens.Shared(text)
	}
	return list
}

// Check verifies the request's token and the rules, applies the header
// mappings to r, and sets challenge and CORS headers on w. The error is a *Refusal.
func (g *Guard) Check(w http.ResponseWriter, r *http.Request) (Result, error) {
	if g.resource.serves(r.URL.Path) {
		g.Metadata(w, r)
		return Result{Answered: true}, nil
	}
	answer := answerWriter{ResponseWriter: w}
	switch {
	case g.cfg.CORS:
		if g.cors(&answer, r) {
			return Result{Answered: true, Writer: w}, nil
		}
	case g.barePreflight(r):
		g.cleanRequest(r)
		g.stripToken(r)
		return Result{Writer: w}, nil
	}
	claims, source, err := g.authenticate(w, r)
	if err != nil {
		return Result{Writer: w}, err
	}
	answer.cookie = source.cookie
	return Result{Claims: claims, Writer: answer.orWriter()}, nil
}

// Authenticate is Check without what the guard answers itself: the metadata
// document and CORS. The claims are nil where the token is optional and absent.
func (g *Guard) Authenticate(w http.ResponseWriter, r *http.Request) (*tokens.Claims, error) {
	claims, _, err := g.authenticate(w, r)
	return claims, err
}

func (g *Guard) authenticate(w http.ResponseWriter, r *http.Request) (*tokens.Claims, tokenSource, error) {
	g.cleanRequest(r)
	if g.cfg.Cookie != "" {
		vary(w.Header(), "Cookie")
	}
	if err := g.cfg.Ready(r.Context()); err != nil {
		return nil, tokenSource{}, g.refuse(w, r, tokenSource{}, err)
	}
	token, source, err := g.readToken(r)
	if errors.Is(err, errNoToken) && g.cfg.Optional {
		g.stripToken(r)
		return nil, tokenSource{}, nil
	}
	if err != nil {
		return nil, source, g.refuse(w, r, source, err)
	}
	claims, err := g.cfg.Issuer.CheckAccess(r.Context(), token)
	if err == nil && (claims.Confirmation != nil || source.dpop || g.cfg.DPoPRequired) {
		err = g.checkSender(w, r, token, source, claims)
	}
	if err == nil {
		err = g.checkRules(claims)
	}
	if err == nil {
		err = g.setHeaders(r, claims)
	}
	if err != nil {
		return nil, source, g.refuse(w, r, source, err)
	}
	g.stripToken(r)
	if source.cookie { // for those answers, too, that do not pass the answerWriter
		keepPrivate(w.Header())
	}
	g.cfg.Observer.Checked("")
	return claims, source, nil
}

// cors sets the CORS headers, and answers a preflight itself, reporting true.
// Otherwise it notes what the answer of the next handler has to say: an origin
// that is allowed is told so in the place of the upstream's own header.
//
// A guard that takes tokens from a cookie allows credentials, for else no page of
// another origin could use it, and takes back what an upstream allows to others.
func (g *Guard) cors(answer *answerWriter, r *http.Request) (answered bool) {
	h := answer.Header()
	vary(h, "Origin")
	if len(r.Header["Origin"]) == 0 {
		return false
	}
	credentials := g.cfg.Cookie != ""
	origin, one := originOf(r)
	allowed := one && g.cfg.Origins(origin)
	if allowed {
		allowOrigin(h, origin, credentials)
	}
	if preflight(r) {
		if allowed {
			// The browser names what it wants: any method and header is the
			// upstream's to judge, behind the token.
			writePreflight(h, r.Header.Get("Access-Control-Request-Method"))
			if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
				h.Set("Access-Control-Allow-Headers", asked)
			}
		}
		answer.ResponseWriter.WriteHeader(http.StatusNoContent)
		return true
	}
	if allowed {
		answer.origin, answer.credentials = origin, credentials
	}
	answer.foreign = !allowed && credentials
	return false
}
