package handler

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// meet sees to it that the client of an authorization request is known, where it publishes
// its metadata. Where that is fetched only for people who are signed in, it asks who comes, and
// has answered: the request then comes again. Nothing is known of the client until then, so
// the page names the host that it says it is of.
func (s *Server) meet(w http.ResponseWriter, r *http.Request, q url.Values) (answered bool, err error) {
	visitor := clientdoc.Visitor{Network: login.Place(s.ClientIP(r))}
	err = s.Issuer.Meet(r.Context(), q, visitor)
	if !errors.Is(err, clientdoc.ErrSignIn) {
		return false, err
	}
	l, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	switch {
	case err != nil:
		return false, err
	case l != nil:
		visitor.SignedIn = true
		return false, s.Issuer.Meet(r.Context(), q, visitor)
	}
	host := strings.TrimPrefix(oauth.DocumentOrigin(q.Get("client_id")), "https://")
	page := &ownPage{Path: s.pathOf("authorize") + "?" + q.Encode(), Caller: host, UILocales: q.Get("ui_locales")}
	return true, s.showLogin(w, r, loginRequest{page: page}, loginProblem{})
}
