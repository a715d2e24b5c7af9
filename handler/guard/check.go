package guard

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Result is what Check found.
type Result struct {
	// Claims of the token; nil where it is optional and absent, where Answered, and
	// for a preflight that is the next handler's to answer.
	Claims *verify.Claims
	// Answered says that the answer is written (a CORS preflight, the metadata
	// document) and nothing may follow.
	Answered bool
	// Writer is what the next handler must write to.
	Writer http.ResponseWriter
}

// Check verifies the request's token and the rules, applies the header
// mappings to r, and sets challenge and CORS headers on w. The error is a *Refusal.
func (g *Guard) Check(w http.ResponseWriter, r *http.Request) (Result, error) {
	if g.resource.serves(r.URL.Path) {
		g.Metadata(w, r)
		return Result{Answered: true}, nil
	}
	var answer answer
	switch {
	case g.cfg.CORS:
		if g.cors(w, &answer, r) {
			return Result{Answered: true, Writer: w}, nil
		}
	case g.browserPreflight(r):
		g.cleanRequest(r)
		g.stripToken(r)
		return Result{Writer: w}, nil
	}
	claims, source, err := g.authenticate(w, r)
	if err != nil {
		return Result{Writer: w}, err
	}
	answer.carrier = source.carrier
	return Result{Claims: claims, Writer: answer.writer(w)}, nil
}

// Authenticate is Check without what the guard answers itself: the metadata
// document and CORS. The claims are nil where the token is optional and absent.
func (g *Guard) Authenticate(w http.ResponseWriter, r *http.Request) (*verify.Claims, error) {
	claims, _, err := g.authenticate(w, r)
	return claims, err
}

func (g *Guard) authenticate(w http.ResponseWriter, r *http.Request) (*verify.Claims, tokenSource, error) {
	r, done := wire.InSpan(r, spans.Guard)
	defer done()
	g.cleanRequest(r)
	if g.cfg.Cookie != "" {
		wire.Vary(w.Header(), "Cookie")
	}
	if g.cfg.TokenHeader != "" {
		wire.Vary(w.Header(), g.cfg.TokenHeader)
	}
	token, source, err := g.readToken(r)
	if errors.Is(err, wire.ErrNoToken) && g.cfg.Optional {
		g.stripToken(r)
		return nil, tokenSource{}, nil
	}
	if err != nil {
		return nil, source, g.refuse(w, r, source, nil, err)
	}
	if err := g.cfg.Ready(r.Context()); err != nil {
		return nil, source, g.refuse(w, r, source, nil, err)
	}
	claims, err := g.cfg.Access.CheckAccess(r.Context(), token)
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
		return nil, source, g.refuse(w, r, source, claims, err)
	}
	g.stripToken(r)
	if source.carrier != "" { // for those answers, too, that do not pass the writer
		keepPrivate(w.Header(), source.carrier)
	}
	g.verdict(r, "", claims)
	return claims, source, nil
}

// verdict counts what became of a request, "" for a pass, and says so in its trace. The claims are
// those of a token that was verified, else nil.
func (g *Guard) verdict(r *http.Request, reason oauth.Reason, claims *verify.Claims) {
	g.cfg.Observer.Checked(reason)
	client := ""
	if claims != nil && !claims.Foreign() {
		client = claims.ClientID
	}
	wire.NoteVerdict(r, reason, client)
}

// Allow applies the guard's rules to the claims of a token that another guard of the same
// request has let in, and perhaps taken out of it. Errors are those of Authenticate.
func (g *Guard) Allow(w http.ResponseWriter, r *http.Request, claims *verify.Claims) error {
	if err := g.checkRules(claims); err != nil {
		return g.refuse(w, r, tokenSource{}, claims, err)
	}
	return nil
}

// CheckAgain says why a request that Check has let in with these claims has to end, nil
// while it may go on: its token was revoked or, where expires is set, is over.
func (g *Guard) CheckAgain(ctx context.Context, claims *verify.Claims, expires bool) error {
	return g.cfg.Access.CheckAgain(ctx, claims, expires)
}
