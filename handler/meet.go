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
// has answered: the request goes on when somebody has signed in (metBy). Nothing is known of the
// client until then, so the page names the host that it says it is of.
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
		visitor.Person = l.Session.User.String()
		return false, s.Issuer.Meet(r.Context(), q, visitor)
	}
	host := strings.TrimPrefix(oauth.DocumentOrigin(q.Get("client_id")), "https://")
	page := &ownPage{Path: s.pathOf("authorize") + "?" + q.Encode(), Caller: host, UILocales: q.Get("ui_locales")}
	return true, s.showLogin(w, r, loginRequest{page: page}, loginProblem{})
}

// metBy goes on with a request whose client was not known before somebody had signed in: that
// sign-in counts for it.
func (s *Server) metBy(w http.ResponseWriter, r *http.Request, page *ownPage, p progress) error {
	_, query, _ := strings.Cut(page.Path, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	visitor := clientdoc.Visitor{Network: login.Place(s.ClientIP(r)), Person: p.login.Session.User.String()}
	if err := s.Issuer.Meet(r.Context(), q, visitor); err != nil {
		if oauth.AsError(err).Code == oauth.TemporarilyUnavailable {
			s.redirect(w, page.Path) // a page that can be asked for once more
			return nil
		}
		return s.about(q.Get("client_id"), err)
	}
	return s.asked(w, r, q, p)
}
