package guard

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Refusal is the error of Check. The challenge headers are already set on the
// ResponseWriter; the caller writes the status.
type Refusal struct { //nolint:errname // it is a verdict, and a name of the package's interface
	Status int
	Err    *oauth.Error
}

// Error names the refusal for logs. It holds no token.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the *oauth.Error.
func (r *Refusal) Unwrap() error { return r.Err }

// refuse sets the headers of a refusal, by RFC 6750 §3 and RFC 9449 §7.1:
//
//	no token           401, bare challenges
//	malformed, two     400 invalid_request
//	bad token          401 invalid_token
//	bad DPoP proof     401 invalid_dpop_proof, use_dpop_nonce with the nonce
//	too little scope   403 insufficient_scope, with the scope
//	not in the group   403, a challenge that asks for nothing
//	weak or old login  401 insufficient_user_authentication, with what is wanted
//	store trouble      503, Retry-After, no challenge
//
// Every 401 names the scope that the guard wants (RFC 6750 §3), and every 401 and
// insufficient_scope the resource metadata (RFC 9728 §5.1).
//
// The claims are those of a token that was verified and refused by a rule, else nil.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, source tokenSource, claims *verify.Claims, err error) error {
	h := w.Header()
	if errors.Is(err, wire.ErrNoToken) {
		g.verdict(r, oauth.ReasonNoToken, nil)
		g.challenge(h, r, "", "")
		wire.NoStore(h)
		return &Refusal{http.StatusUnauthorized, &oauth.Error{Code: oauth.InvalidToken, Description: "There is no access token in the request."}}
	}
	e := wire.RefusalOf(err)
	status := wire.StatusOf(err, e)
	g.verdict(r, cmp.Or(e.Reason, oauth.ReasonUnknown), claims)
	g.tell(r, claims, e)
	wire.NoStore(h)
	problem := wire.ErrorParameters(e)
	if e.Reason == oauth.ReasonStepUp {
		problem += g.cfg.StepUp.parameters()
	}
	switch {
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		h.Set("Retry-After", wire.RetryAfter(e.RetryAfter))
	case wire.AboutSender(e): // there is no other way to present this token
		status = http.StatusUnauthorized
		wire.AddChallenges(h, wire.DPoPChallenge(problem)+g.wanted(r))
	case status == http.StatusUnauthorized && source.dpop:
		g.challenge(h, r, "", problem)
	case status == http.StatusUnauthorized:
		g.challenge(h, r, problem, "")
	case e.Code == oauth.AccessDenied:
		g.neverMind(h, source)
	case status == http.StatusForbidden && source.dpop:
		wire.AddChallenges(h, wire.DPoPChallenge(problem)+g.documentParameter(r))
	case status == http.StatusForbidden:
		wire.AddChallenges(h, g.realm+problem+g.documentParameter(r))
	case source.dpop:
		wire.AddChallenges(h, wire.DPoPChallenge(problem))
	default:
		wire.AddChallenges(h, g.realm+problem)
	}
	return &Refusal{status, e}
}

// neverMind adds the challenge of a refusal that no login can change. There has to be one
// (RFC 6750 §3: a token that does not enable access), and it names no error: there is no code
// for this in §3.1, and insufficient_scope, with or without the scope and the metadata document,
// has clients send the person through a login that ends here again.
func (g *Guard) neverMind(h http.Header, source tokenSource) {
	if source.dpop {
		wire.AddChallenges(h, wire.DPoPChallenge(""))
		return
	}
	wire.AddChallenges(h, g.realm)
}

// tell tells the observer why a token was refused. What only asks to come again is told elsewhere.
func (g *Guard) tell(r *http.Request, claims *verify.Claims, e *oauth.Error) {
	switch e.Code {
	case oauth.TemporarilyUnavailable, oauth.TooManyRequests, oauth.UseDPoPNonce:
		return
	default:
	}
	event := oauth.Event{
		Kind: oauth.EventAccessRefused, Outcome: oauth.Outcome(cmp.Or(e.Reason, oauth.ReasonUnknown)),
		API: g.cfg.Audience[0], Mismatch: e.Mismatch, Cause: e.Why(),
	}
	if claims != nil {
		event.Subject = claims.Subject
		if claims.Foreign() {
			event.Issuer = claims.Issuer
		} else {
			event.Client = claims.ClientID
		}
	}
	g.cfg.Observer.Happened(r.Context(), event)
}

// challenge asks for a token by each scheme that would do, with what was wrong
// by the one that was used. See RFC 9449 §7.1.
func (g *Guard) challenge(h http.Header, r *http.Request, bearer, dpop string) {
	wanted := g.wanted(r)
	var lines []string
	if !g.cfg.DPoPRequired {
		lines = append(lines, g.realm+bearer+wanted)
	}
	if g.cfg.Proofs != nil {
		lines = append(lines, wire.DPoPChallenge(dpop)+wanted)
	}
	wire.AddChallenges(h, lines...)
}

// wanted are the parameters that tell a client what to ask for, and where.
func (g *Guard) wanted(r *http.Request) string {
	if g.scope == "" {
		return g.documentParameter(r)
	}
	return `, scope="` + wire.Quotable(g.scope) + `"` + g.documentParameter(r)
}
