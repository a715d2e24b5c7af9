package handler

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

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
	page.Action = at.url()
	html, err := s.pages.Account(texts, page)
	s.writePage(w, status, html, err, pageOptions{form: true, script: page.Nonce})
	return nil
}

// signInToAccount asks who the person is.
func (s *Server) signInToAccount(w http.ResponseWriter, r *http.Request, texts *pages.Texts, p loginProblem) error {
	return s.showLogin(w, r, loginRequest{page: &ownPage{Path: s.pathOf("account"), Purpose: texts.ToAccount, UILocales: texts.Lang}}, p)
}

// listed is how many rows of a list the page shows at once.
const listed = 20

// accountPlace is where in its lists the page is.
type accountPlace struct {
	path, locales string
	page          int // of the applications, from 1
}

// url returns the address of the page there.
func (p accountPlace) url() string {
	q := make(url.Values)
	if p.page > 1 {
		q.Set("page", strconv.Itoa(p.page))
	}
	if p.locales != "" {
		q.Set("ui_locales", p.locales)
	}
	return withQuery(p.path, q)
}

// pageAsked returns which page of a list a request asks for, from 1, of a list so long.
func pageAsked(r *http.Request, name string, length int) (page, of int) {
	page, _ = strconv.Atoi(r.URL.Query().Get(name))
	of = max(1, (length+listed-1)/listed)
	return min(max(page, 1), of), of
}

// listApplications puts on the page where a person is signed in.
func (s *Server) listApplications(r *http.Request, l *tokens.Login, texts *pages.Texts, page *pages.Account, at *accountPlace) error {
	asked, _ := pageAsked(r, "page", 1<<20)
	apps, all, err := s.Issuer.SignedIn(r.Context(), l, (asked-1)*listed, listed)
	if err != nil {
		return err
	}
	var of int
	if at.page, of = pageAsked(r, "page", all); at.page != asked { // the list has become shorter
		if apps, _, err = s.Issuer.SignedIn(r.Context(), l, (at.page-1)*listed, listed); err != nil {
			return err
		}
	}
	page.Pages = pages.Pager{Page: at.page, Of: of}
	other := *at
	if other.page = at.page - 1; other.page >= 1 {
		page.Pages.Previous = other.url()
	}
	if other.page = at.page + 1; other.page <= of {
		page.Pages.Next = other.url()
	}
	for _, a := range apps {
		page.Applications = append(page.Applications, s.describe(a, texts))
	}
	return nil
}

// loginLabel returns what people call a login, its name where it is not configured any more.
func (s *Server) loginLabel(name string) string {
	for _, l := range s.Logins {
		if l.Name() == name {
			return l.Label()
		}
	}
	return name
}

// describe says in words where a person is signed in.
func (s *Server) describe(a tokens.SignedIn, texts *pages.Texts) pages.Application {
	app := pages.Application{
		ID: a.Family.ID.String(), Name: texts.AppRemoved, Device: texts.Device(a.Device), From: a.Address,
		Since: a.Family.Created, LastUsed: a.Family.Rotated, Here: a.Here,
	}
	if a.Client != nil {
		app.Name = s.clientName(a.Client.ID)
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
	action := form.Get("action")
	if action == actionAnother {
		return s.signInToAccount(w, r, texts, loginProblem{another: true})
	}
	if err != nil || l == nil || l.Session.ID != t.Session {
		return s.showAccount(w, r, l, texts, accountNote{again: true})
	}
	switch action {
	case "everywhere":
		if err := s.Issuer.SignOutEverywhere(r.Context(), l); err != nil {
			return err
		}
		fallthrough
	case "signout":
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
