package handler

import (
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// account is the page where a person sees this browser's session, where else they are
// signed in and what they have agreed to, and ends one of it, or all.
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
		return s.signInToAccount(w, r, texts, p)
	}
	sealed, err := s.sealTicket(w, r, ticketAccount, ticket{Session: l.Session.ID, Page: &ownPage{UILocales: texts.Lang}})
	if err != nil {
		return err
	}
	page := pages.Account{
		Ticket: sealed, Person: personName(l.Profile), Login: s.loginLabel(l.Profile.Login), Since: l.Session.Begun,
		Done: note.done, Problem: problem, Nonce: nonce(),
	}
	at := accountPlace{path: s.pathOf("account"), locales: r.URL.Query().Get("ui_locales")}
	if err := s.listApplications(r, l, texts, &page, &at); err != nil {
		return err
	}
	if err := s.listAgreements(r, l, texts, &page, &at); err != nil {
		return err
	}
	page.Pages.Previous, page.Pages.Next = at.around(page.Pages, func(p *accountPlace, n int) { p.page = n })
	page.AgreementPages.Previous, page.AgreementPages.Next = at.around(page.AgreementPages, func(p *accountPlace, n int) { p.agreed = n })
	page.Action = at.url()
	html, err := s.pages.Account(texts, page)
	s.writePage(w, status, html, err, pageOptions{form: true, leaves: s.signsOut(), script: page.Nonce})
	return nil
}

// signInToAccount asks who the person is.
func (s *Server) signInToAccount(w http.ResponseWriter, r *http.Request, texts *pages.Texts, p loginProblem) error {
	return s.showLogin(w, r, loginRequest{page: &ownPage{Path: s.pathOf("account"), Purpose: texts.ToAccount, UILocales: texts.Lang}}, p)
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
	action := form.Get("action")
	if action == actionAnother {
		return s.signInToAccount(w, r, texts, loginProblem{another: true})
	}
	if err != nil || l == nil || l.Session.ID != t.Session {
		return s.showAccount(w, r, l, texts, accountNote{again: true})
	}
	switch action {
	case "everywhere":
		return s.signOutEverywhere(w, r, l, texts)
	case "signout":
		return s.signOut(w, r, texts.Lang, &logoutRequest{Login: l.Profile.Login}, nil)
	}
	if form.Has("withdraw") {
		return s.withdraw(w, r, l, texts, form.Get("withdraw"))
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

// signOutEverywhere ends all that a person has. What their provider gave at this login is
// taken first, since it ends with it.
func (s *Server) signOutEverywhere(w http.ResponseWriter, r *http.Request, l *tokens.Login, texts *pages.Texts) error {
	var given tokens.Given
	if s.signsOut() {
		var err error
		if given, err = s.Issuer.EndLogin(r.Context(), s.session(r), nil, true); err != nil {
			return err
		}
	}
	if err := s.Issuer.SignOutEverywhere(r.Context(), l); err != nil {
		return err
	}
	if err := s.endRefresh(w, r, nil); err != nil {
		return err
	}
	return s.signedOut(w, r, texts.Lang, &logoutRequest{Login: l.Profile.Login}, given)
}

// withdraw takes back what a person has agreed to at an application.
func (s *Server) withdraw(w http.ResponseWriter, r *http.Request, l *tokens.Login, texts *pages.Texts, id string) error {
	tag, err := hex.DecodeString(id)
	if err != nil || len(tag) != len(storage.ClientTag{}) {
		return wire.Malformed("The form does not say whose access to remove.")
	}
	if err := s.Issuer.WithdrawConsent(r.Context(), l, storage.ClientTag(tag)); err != nil {
		return err
	}
	return s.showAccount(w, r, l, texts, accountNote{done: texts.Withdrawn})
}
