package site

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// hasBearer reports whether a request carries an access token in its Authorization header.
func hasBearer(r *http.Request) bool {
	for _, line := range r.Header["Authorization"] {
		if ours, _, _ := wire.Scheme(line); ours {
			return true
		}
	}
	return false
}

// checkBearer lets programs in by access token.
func (g *Guard) checkBearer(w http.ResponseWriter, r *http.Request, s *Site) (Result, error) {
	claims, err := g.cfg.Bearer.Authenticate(w, r)
	if err != nil {
		wire.NoteAnswer(r, err)
		return Result{}, err
	}
	return g.admitToken(w, r, s, claims)
}

// admitToken lets a program in whose access token Bearer takes, where the guard's rules do.
func (g *Guard) admitToken(w http.ResponseWriter, r *http.Request, s *Site, c *verify.Claims) (Result, error) {
	switch g.standing(c, loginOf(c), s) {
	case standsRefused:
		return s.refuseProgram(w, r, oauth.ReasonNotAllowed, c, "The account of this access token may not come in here.")
	case standsAnew: // RFC 9470 §3
		s.refuse(r, oauth.ReasonStepUp, c)
		w.Header().Add(wire.ChallengeHeader, `Bearer error="insufficient_user_authentication"`)
		s.problem(w, r, http.StatusUnauthorized, "A stronger or more recent sign-in is needed.")
		return Result{Answered: true}, nil
	case stands:
	}
	p := g.passage(r)
	if p != nil {
		p.site, p.claims = s, c
	}
	if err := g.name(r, p, c); err != nil {
		return s.refuseProgram(w, r, oauth.ReasonClaim, c, "This account cannot be named to the application.")
	}
	wire.NoteVerdict(r, "", "") // Bearer has counted it
	return Result{Claims: c, Expires: c.Expiry, Writer: g.callers.finishing(w, r, g.cfg.KeepCache)}, nil
}

// loginOf returns the name of the login by which the person of a token came, "" for a machine
// and for another issuer's.
func loginOf(c *verify.Claims) string {
	login, _, found := strings.Cut(c.Subject, "|")
	if !found || c.Foreign() || !c.HasSession && !c.HasFamily {
		return ""
	}
	return login
}

// refuseProgram answers a program that is known, and may not come in.
func (s *Site) refuseProgram(w http.ResponseWriter, r *http.Request, reason oauth.Reason, c *verify.Claims, title string) (Result, error) {
	s.refuse(r, reason, c)
	swallow(r)
	s.problem(w, r, http.StatusForbidden, title)
	return Result{Answered: true}, nil
}
