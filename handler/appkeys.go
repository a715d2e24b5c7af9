package handler

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// appKeys is the page where a person makes app keys for sites that take them (`keys` of
// require_login). They end at the account page, as everything there.
func (s *Server) appKeys(w http.ResponseWriter, r *http.Request) error {
	l, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		return s.makeAppKey(w, r, l)
	}
	return s.showAppKeys(w, r, l, s.texts(r, r.URL.Query().Get("ui_locales")), pages.AppKeys{})
}

// showAppKeys shows the page, or first asks who the person is.
func (s *Server) showAppKeys(w http.ResponseWriter, r *http.Request, l *tokens.Login, texts *pages.Texts, page pages.AppKeys) error {
	if l == nil {
		return s.showLogin(w, r, loginRequest{page: &ownPage{Path: s.pathOf("app_keys"), Purpose: texts.ToKeys, UILocales: texts.Lang}}, loginProblem{})
	}
	origins, err := s.Issuer.KeySites(r.Context(), l)
	if err != nil {
		return err
	}
	sealed, err := s.sealTicket(w, r, ticketKeys, ticket{Session: l.Session.ID, Page: &ownPage{UILocales: texts.Lang}})
	if err != nil {
		return err
	}
	for _, origin := range origins {
		page.Sites = append(page.Sites, pages.Option{Name: origin, Label: s.clientName(sites.ClientID(origin))})
	}
	page.Action, page.Ticket, page.Account = s.pathOf("app_keys"), sealed, s.pathOf("account")
	status := http.StatusOK
	if page.Problem != "" {
		status = http.StatusForbidden
	}
	html, err := s.pages.AppKeys(texts, page)
	s.writePage(w, status, html, err, pageOptions{form: true})
	return nil
}

// makeAppKey takes the page's form, from the session and the browser that it was shown to.
func (s *Server) makeAppKey(w http.ResponseWriter, r *http.Request, l *tokens.Login) error {
	if !s.sameOrigin(r) {
		return wire.ErrForbidden
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	t, err := s.openTicket(r, ticketKeys, form.Get("request"))
	if err != nil && !errors.Is(err, errTicketStale) {
		return err
	}
	texts := s.texts(r, t.Page.UILocales)
	if err != nil || l == nil || l.Session.ID != t.Session {
		return s.showAppKeys(w, r, l, texts, pages.AppKeys{Problem: texts.AnswerAgain})
	}
	key, err := s.Issuer.NewSiteKey(r.Context(), l, form.Get("site"), form.Get("name"))
	if e := oauth.AsError(err); err != nil && slices.Contains([]oauth.ErrorCode{oauth.InvalidRequest, oauth.AccessDenied}, e.Code) {
		return s.showAppKeys(w, r, l, texts, pages.AppKeys{Problem: texts.KeyProblem, Name: form.Get("name")})
	}
	if err != nil {
		return err
	}
	return s.showAppKeys(w, r, l, texts, pages.AppKeys{Key: key})
}
