package site

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// presentedKey returns the app key of a request, "" for none: as a bearer token, or as the
// password of Basic authentication with any user name, since many programs know nothing else.
func (g *Guard) presentedKey(r *http.Request) string {
	lines := r.Header["Authorization"]
	if !g.cfg.Keys || len(lines) != 1 {
		return ""
	}
	scheme, rest, _ := strings.Cut(lines[0], " ")
	rest = strings.TrimSpace(rest)
	if strings.EqualFold(scheme, "Basic") {
		decoded, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		_, rest, _ = strings.Cut(string(decoded), ":")
	} else if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	if !strings.HasPrefix(rest, sites.KeyPrefix) {
		return ""
	}
	return rest
}

// checkKey lets a program in by an app key. What is wrong with it nobody hears.
func (g *Guard) checkKey(w http.ResponseWriter, r *http.Request, s *Site, key string) (Result, error) {
	p := proof{text: key, key: true}
	h := s.sessions.known(p)
	if h == nil {
		if !s.cfg.Issuer.IsKey(s.cfg.Origin, key) {
			return s.refuseKey(w, r)
		}
		h = s.sessions.find(p)
	}
	session, err := s.sessions.current(r.Context(), h, true)
	switch {
	case err != nil && unavailable(err):
		s.down(w, r, err)
		return Result{Answered: true}, nil
	case err != nil:
		return s.refuseKey(w, r)
	}
	delete(r.Header, "Authorization") // what let it in goes no further
	return g.admitKey(w, r, s, h, session)
}

// admitKey lets a program in whose app key is good, where the guard's rules do.
func (g *Guard) admitKey(w http.ResponseWriter, r *http.Request, s *Site, h *held, session *sites.Session) (Result, error) {
	if g.standing(session.Claims, session.Login, s) != stands {
		return s.refuseProgram(w, r, oauth.ReasonNotAllowed, session.Claims, "The account of this app key may not come in here.")
	}
	return g.pass(w, r, s, h, session)
}

func (s *Site) refuseKey(w http.ResponseWriter, r *http.Request) (Result, error) {
	s.refuse(r, oauth.ReasonBadMAC, nil)
	if !isBrowser(r) {
		w.Header().Add(wire.ChallengeHeader, `Basic realm="`+wire.Quotable(s.name())+`", charset="UTF-8"`)
	}
	s.problem(w, r, http.StatusUnauthorized, "The app key is unknown or has ended.")
	return Result{Answered: true}, nil
}
