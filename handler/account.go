package handler

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// account is the page where a person sees which applications are signed in for
// them, and signs one of them out, or all.
func (s *Server) account(w http.ResponseWriter, r *http.Request) error {
	l, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		return s.changeAccount(w, r, l)
	}
	return s.showAccount(w, r, l, s.texts(r, r.URL.Query().Get("ui_locales")), accountNote{})
}

// accountNote is what the page says about the form that was sent.
type accountNote struct {
	done  string
	again bool // it had gone stale, and did nothing
}

// showAccount shows the page, or first asks who the person is.
func (s *Server) showAccount(w http.ResponseWriter, r *http.Request, l *tokens.Login, texts *pages.Texts, note accountNote) error {
	problem, p, status := "", loginProblem{}, http.StatusOK
	if note.again {
		status = http.StatusForbidden
		problem, p = texts.AnswerAgain, loginProblem{text: texts.SignInAgain, status: status}
	}
	if l == nil {
		return s.showLogin(w, r, loginRequest{page: &ownPage{Path: s.pathOf("account"), Purpose: texts.ToAccount, UILocales: texts.Lang}}, p)
	}
	apps, err := s.Issuer.SignedIn(r.Context(), l)
	if err != nil {
		return err
	}
	sealed, err := s.sealTicket(w, r, ticketAccount, ticket{Session: l.Session.ID, Page: &ownPage{UILocales: texts.Lang}})
	if err != nil {
		return err
	}
	page := pages.Account{Action: s.pathOf("account"), Ticket: sealed, Person: personName(l.Profile), Done: note.done, Problem: problem}
	for _, a := range apps {
		page.Applications = append(page.Applications, s.describe(a, texts))
		if a.Keys {
			page.Keys = s.pathOf("app_keys")
		}
	}
	html, err := s.pages.Account(texts, page)
	s.writePage(w, status, html, err, pageOptions{form: true})
	return nil
}

// describe says in words where a person is signed in.
func (s *Server) describe(a tokens.SignedIn, texts *pages.Texts) pages.Application {
	app := pages.Application{
		ID: a.Family.ID.String(), Name: texts.AppRemoved, Device: texts.Device(a.Device), From: a.Address,
		Since: texts.DateOf(a.Family.Created), LastUsed: texts.DateOf(a.Family.Rotated), Here: a.Here,
	}
	switch {
	case a.Client != nil:
		app.Name = s.clientName(a.Client.ID)
	case a.Site != "":
		app.Name = s.clientName(sites.ClientID(a.Site))
	}
	if a.Key != "" {
		app.Device = texts.KeysTitle + ": " + a.Key
	}
	return app
}

// changeAccount takes the page's form, from the session and the browser that it was shown to.
func (s *Server) changeAccount(w http.ResponseWriter, r *http.Request, l *tokens.Login) error {
	if !s.sameOrigin(r) {
		return wire.ErrForbidden
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	t, err := s.openTicket(r, ticketAccount, form.Get("request"))
	if err != nil && !errors.Is(err, errTicketStale) {
		return err
	}
	texts := s.texts(r, t.Page.UILocales)
	if err != nil || l == nil || l.Session.ID != t.Session {
		return s.showAccount(w, r, l, texts, accountNote{again: true})
	}
	if form.Get("action") == "everywhere" {
		if err := s.Issuer.SignOutEverywhere(r.Context(), l); err != nil {
			return err
		}
		return s.signOut(w, r, texts.Lang, &logoutRequest{}, nil)
	}
	id, ok := storage.ParseFamilyID(form.Get("end"))
	if !ok {
		return wire.Malformed("The form does not say which application to sign out.")
	}
	if err := s.Issuer.SignOutOf(r.Context(), l, id); err != nil {
		return err
	}
	return s.showAccount(w, r, l, texts, accountNote{done: texts.SignedOutOne})
}
