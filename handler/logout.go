package handler

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// logout is the end session endpoint. See OpenID Connect RP-Initiated Logout §2.
//
// With a valid id_token_hint the application proves that it knows the person,
// and they are signed out at once. Otherwise anyone may have written the
// request, so the person is asked first.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	q, err := logoutParams(r)
	if err != nil {
		return err
	}
	if q.Has("request") && r.Method == http.MethodPost {
		return s.confirmedLogout(w, r, q)
	}
	if s.withoutCookies(r) {
		return s.sendOn(w, r, "logout", q)
	}
	if len(q[tokens.SiteLogoutParam]) == 1 {
		return s.leftSite(w, r, q)
	}
	return s.beginLogout(w, r, q)
}

// leftSite goes on with the sign-out of a site, which has ended the session already. Where
// somebody is signed in all the same, it is not theirs.
func (s *Server) leftSite(w http.ResponseWriter, r *http.Request, q url.Values) error {
	given, ok := s.Issuer.LeftSite(q.Get(tokens.SiteLogoutParam))
	current, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	if err != nil {
		return err
	}
	if !ok || current != nil || !topLevel(r) {
		return s.beginLogout(w, r, q)
	}
	return s.signedOut(w, r, q.Get("ui_locales"), &logoutRequest{Login: given.Login}, given)
}

// beginLogout signs out where a hint proves who asks, and asks the person elsewhere.
func (s *Server) beginLogout(w http.ResponseWriter, r *http.Request, q url.Values) (err error) {
	for _, name := range []string{"id_token_hint", "post_logout_redirect_uri", "client_id", "state"} {
		if len(q[name]) > 1 {
			return wire.Malformed(name + " must be given once.")
		}
	}
	var hint *tokens.LogoutHint
	if text := q.Get("id_token_hint"); text != "" {
		if hint, err = s.Issuer.ParseLogoutHint(text); err != nil {
			return err
		}
	}
	req, err := s.readLogout(q, hint)
	if err != nil {
		return s.about(q.Get("client_id"), err)
	}
	if req.Stray != "" {
		client, _ := s.Issuer.Configured(req.ClientID)
		s.report(r.Context(), "logout", s.logoutRefused("The post_logout_redirect_uri is not one that the application has registered.", q.Get("client_id"), client, req.Stray))
	}
	current, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	if err != nil {
		return err
	}
	req.Login = loginOf(current, hint)
	switch {
	case hint == nil && current == nil && !s.anyRefreshSent(r):
		// Nobody is signed in, so there is nothing to ask about. Nothing proves
		// who wrote this, so it ends here and not at an address of theirs.
		return s.alreadySignedOut(w, r, q)
	case hint == nil, current != nil && current.Profile.Subject != hint.Subject:
		return s.askLogout(w, r, q.Get("ui_locales"), req, current, "")
	}
	return s.signOut(w, r, q.Get("ui_locales"), req, hint)
}

// auth0Logout is Auth0's logout endpoint, where its SDKs send the browser with
// client_id and returnTo and expect no question. It is answered so for a
// registered address, and for a page that the person sees: an image or a frame
// of some other page signs nobody out.
func (s *Server) auth0Logout(w http.ResponseWriter, r *http.Request) error {
	q, err := logoutParams(r)
	if err != nil {
		return err
	}
	for _, name := range []string{"client_id", "returnTo"} {
		if len(q[name]) > 1 {
			return wire.Malformed("client_id and returnTo must be given once.")
		}
	}
	req := &logoutRequest{ClientID: q.Get("client_id")}
	client, known := s.Issuer.Configured(req.ClientID)
	if !known && req.ClientID != "" {
		return s.logoutRefused("The client_id is not registered.", req.ClientID, nil, "")
	}
	if to := q.Get("returnTo"); to != "" {
		if !known || !oauth.MatchLogout(client.LogoutURIs, to) {
			return s.logoutRefused("The returnTo address is not one of the logout addresses that the application has registered.", req.ClientID, client, to)
		}
		req.To = to
	}
	if known && req.To != "" && topLevel(r) {
		return s.signOut(w, r, q.Get("ui_locales"), req, nil)
	}
	current, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	if err != nil {
		return err
	}
	if current == nil && !s.anyRefreshSent(r) {
		return s.alreadySignedOut(w, r, q)
	}
	req.Login = loginOf(current, nil)
	return s.askLogout(w, r, q.Get("ui_locales"), req, current, "")
}

// alreadySignedOut says so to somebody who is not signed in.
func (s *Server) alreadySignedOut(w http.ResponseWriter, r *http.Request, q url.Values) error {
	if s.session(r) != "" { // it was ended elsewhere
		s.clearSession(w)
		s.noteSignedOut(w)
	}
	return s.endLogout(w, r, q.Get("ui_locales"), &logoutRequest{})
}

// logoutParams reads a request to sign out. What a browser loads ahead of a person, as for an
// address that they have begun to type, signs nobody out.
func logoutParams(r *http.Request) (url.Values, error) {
	if wire.LoadedAhead(r.Header) {
		return nil, wire.ErrForbidden
	}
	q, err := authorizeParams(r)
	if err == nil {
		err = oauth.CheckParams(q)
	}
	return q, err
}

// logoutRefused is the refusal of an address to go on to, which nobody has registered.
func (s *Server) logoutRefused(description, id string, client *clients.Client, to string) error {
	if client == nil {
		if id == "" {
			description = "There is neither id_token_hint nor client_id, which say whose address it is."
		}
		return oauth.Refuse(oauth.InvalidRequest, oauth.ReasonUnknownClient, description).
			With(s.Issuer.UnknownClient(id))
	}
	return s.about(client.ID, oauth.Refuse(oauth.InvalidRequest, oauth.ReasonBadRedirect, description).
		With(oauth.Mismatch{Sent: oauth.PrintableURI(to), Registered: client.LogoutURIs, Option: "logout_uris"}))
}

// topLevel reports whether a request loads a page into a window of its own, as
// far as the browser tells. See Fetch Metadata Request Headers §2.
func topLevel(r *http.Request) bool {
	dest, mode := r.Header.Get("Sec-Fetch-Dest"), r.Header.Get("Sec-Fetch-Mode")
	return (dest == "" || dest == "document") && (mode == "" || mode == "navigate")
}

// askLogout shows the page that asks before it signs out; problem says why it asks again.
func (s *Server) askLogout(w http.ResponseWriter, r *http.Request, locales string, req *logoutRequest, current *tokens.Login, problem string) error {
	req.UILocales = locales
	sealed, err := s.sealTicket(w, r, ticketLogout, ticket{Logout: req})
	if err != nil {
		return err
	}
	page := pages.Logout{Action: s.pathOf("logout"), Ticket: sealed, Client: s.clientName(req.ClientID), Problem: problem}
	if current != nil {
		page.Person = personName(current.Profile)
	}
	status := http.StatusOK
	if problem != "" {
		status = http.StatusForbidden
	}
	html, err := s.pages.Logout(s.texts(r, locales), page)
	s.writePage(w, status, html, err, pageOptions{form: true, leaves: req.To != "" || s.signsOut()})
	return nil
}

// confirmedLogout takes the form of askLogout. One that has gone stale proves
// nothing any more: whoever is signed in is asked again.
func (s *Server) confirmedLogout(w http.ResponseWriter, r *http.Request, form url.Values) error {
	if !s.sameOrigin(r) {
		return wire.ErrForbidden
	}
	t, stale := s.openTicket(r, ticketLogout, form.Get("request"))
	if stale != nil && !errors.Is(stale, errTicketStale) {
		return stale
	}
	texts := s.texts(r, t.Logout.UILocales)
	if form.Get("action") != "logout" {
		html, err := s.pages.Message(texts, pages.Message{Title: texts.StillInTitle, Text: texts.StillIn})
		s.writePage(w, http.StatusOK, html, err, pageOptions{})
		return nil
	}
	if stale != nil {
		current, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
		if err != nil {
			return err
		}
		return s.askLogout(w, r, t.Logout.UILocales, t.Logout, current, texts.AnswerAgain)
	}
	return s.signOut(w, r, t.Logout.UILocales, t.Logout, nil)
}

// signOut ends the session of this browser and that of a hint, and the refresh tokens that
// the browser keeps in cookies; with a hint, just those of its user.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request, locales string, req *logoutRequest, hint *tokens.LogoutHint) error {
	given, err := s.Issuer.EndLogin(r.Context(), s.session(r), hint, s.signsOut())
	if err != nil {
		return err
	}
	var only *storage.UserTag
	if hint != nil { // an old one may come from anywhere: it ends nothing of anybody else
		tag := storage.TagSubject(hint.Subject)
		only = &tag
	}
	if err := s.endRefresh(w, r, only); err != nil {
		return err
	}
	return s.signedOut(w, r, locales, req, given)
}

// signedOut takes the session from the browser once it is over, and has the person signed
// out at their provider too, where its login says so.
func (s *Server) signedOut(w http.ResponseWriter, r *http.Request, locales string, req *logoutRequest, given tokens.Given) error {
	s.clearSession(w)
	s.noteSignedOut(w)
	req.UILocales = locales
	to, err := s.signOutAt(w, r, req, given)
	if err != nil {
		return err
	}
	if to != "" {
		s.redirect(w, to)
		return nil
	}
	return s.endLogout(w, r, locales, req)
}

// endLogout goes on where the request says, or says that it is done.
func (s *Server) endLogout(w http.ResponseWriter, r *http.Request, locales string, req *logoutRequest) error {
	if client, ok := s.Issuer.Configured(req.ClientID); req.To != "" && ok && oauth.MatchLogout(client.LogoutURIs, req.To) {
		to := req.To
		if req.State != "" {
			to = appendQuery(to, []pages.Field{{Name: "state", Value: req.State}})
		}
		s.redirect(w, to)
		return nil
	}
	t := s.texts(r, locales)
	m := pages.Message{Title: t.SignedOutTitle, Text: t.SignedOut}
	if l, ok := s.elsewhereBy(req.Login); ok {
		m.Note = t.StillAt(l.Label())
	}
	if req.Stray != "" {
		m.Text, m.Address, m.Option = t.SignedOutStray, req.Stray, "logout_uris"
	}
	html, err := s.pages.Message(t, m)
	s.writePage(w, http.StatusOK, html, err, pageOptions{})
	return nil
}
