package handler

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// consent takes the consent form: once, from the session and the browser that
// it was shown to, for the request that it was shown for.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return s.showStart(w, r)
	}
	if !s.sameOrigin(r) {
		return wire.ErrForbidden
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	t, err := s.openTicket(r, ticketConsent, form.Get("request"))
	if err != nil {
		return expiredIsForbidden(err)
	}
	login, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	if err != nil {
		return err
	}
	if login == nil || login.Session.ID != t.Session || !s.Limits.used.take(t.ID, s.Clock()) {
		return wire.ErrForbidden
	}
	if form.Get("action") != "allow" {
		return s.answerError(w, t.Auth, &oauth.Error{Code: oauth.AccessDenied, Description: "The user did not consent."})
	}
	return s.proceed(w, r, t.Auth, progress{login: login, fresh: t.Fresh, consented: true})
}

// showConsent asks whether the client may go on.
func (s *Server) showConsent(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, p progress) error {
	sealed, err := s.sealTicket(w, r, ticketConsent, ticket{Auth: a, Session: p.login.Session.ID, Fresh: p.fresh})
	if err != nil {
		return err
	}
	texts := pages.In(a.UILocales)
	html, err := s.pages.Consent(texts, pages.Consent{
		Action:      s.pathOf("consent"),
		Ticket:      sealed,
		Client:      s.clientName(a.ClientID),
		Person:      personName(p.login.Profile),
		Destination: destinationOf(a.RedirectURI),
		Access:      accessTexts(texts, a.Scopes),
	})
	s.writePage(w, http.StatusOK, html, err, pageOptions{form: true, leaves: answersByRedirect(a)})
	return nil
}

// destinationOf names where a redirect URI leads: a host, or an app's private scheme.
func destinationOf(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil {
		return ""
	}
	if u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		return u.Host
	}
	return u.Scheme
}
