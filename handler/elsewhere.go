package handler

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// elsewhere reports whether a person has come to a page by another host name or
// port than the issuer's: our cookies would be that one's, and each form refused.
func (s *Server) elsewhere(r *http.Request) bool {
	if r.Host == "" || r.Host == s.issuerHost || oauth.OriginOf(s.issuerScheme+"://"+r.Host) == s.issuerOrigin {
		return false
	}
	// A proxy in front may have written a name of its own, and the browser is at the
	// right one: its forms say so, and else the cookie that it was sent there before.
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin != s.issuerOrigin
	}
	return wire.Cookie(r, s.cookies.moved) == ""
}

// movedFor is how long, in seconds, a browser that was sent to the issuer's origin
// is not sent there again.
const movedFor = 60

// toIssuer sends a person to the same page at the issuer's origin. A form that was
// posted is not taken along, only the ticket by which it is shown again there.
func (s *Server) toIssuer(w http.ResponseWriter, r *http.Request, endpoint string) error {
	q, err := authorizeParams(r)
	if err != nil {
		return err
	}
	s.keepCookie(w, s.cookies.moved, "1", movedFor)
	if r.Method == http.MethodPost {
		switch ticket := q["request"]; {
		case endpoint == "login" || endpoint == "consent":
			q = url.Values{"request": ticket}
		case endpoint != "authorize" && (endpoint != "logout" || len(ticket) > 0):
			q = nil
		}
		return s.sendOn(w, r, endpoint, q)
	}
	s.redirect(w, withQuery(s.urlOf(endpoint), q))
	return nil
}

// carriedTicket opens the ticket that toIssuer has taken along in the URL. It
// decides nothing: its form is shown again. Without one it is nil.
func (s *Server) carriedTicket(r *http.Request, kind ticketKind) (*ticket, error) {
	q, err := readQuery(r)
	if err != nil || !q.Has("request") {
		return nil, err
	}
	t, err := s.openTicket(r, kind, q.Get("request"))
	if errors.Is(err, errTicketStale) {
		err = nil
	}
	return t, err
}
