package handler

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// actionCancel is the value of the button that says no, on every form.
const actionCancel = "cancel"

// login takes the login form. Its page is shown in place of the answer to an
// authorization request, or of a page of ours, so that there is nothing to
// begin with here.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return s.showStart(w, r)
	}
	if !s.sameOrigin(r) {
		return errForbidden
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	t, err := s.openTicket(r, ticketLogin, form.Get("request"))
	if err != nil && !errors.Is(err, errTicketExpired) {
		return err
	}
	v := visit{auth: t.Auth, page: t.Page}
	if form.Get("action") == actionCancel {
		return s.notSignedIn(w, v)
	}
	tried := loginProblem{username: form.Get("username"), login: form.Get("login"), status: http.StatusForbidden}
	if err != nil {
		tried.text = v.texts().TookTooLong
		return s.showLogin(w, r, v, tried)
	}
	profile, err := s.checkPassword(r, tried, form.Get("password"))
	if err != nil {
		return s.showLoginError(w, r, v, tried, err)
	}
	return s.signIn(w, r, v, profile)
}

// signIn begins the session and takes the person on.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, v visit, profile tokens.Profile) error {
	l, value, err := s.Issuer.SignIn(r.Context(), profile, s.session(r))
	if tokens.IsReason(err, tokens.ReasonUserDisabled) {
		return s.showLogin(w, r, v, loginProblem{text: v.texts().Disabled, status: http.StatusForbidden})
	}
	if err != nil {
		return err
	}
	s.setSession(w, value, l.Session.Expires)
	s.rememberBrowser(w, r, profile)
	return s.signedIn(w, r, v, l)
}

// checkPassword asks the login that the form names.
func (s *Server) checkPassword(r *http.Request, tried loginProblem, password string) (tokens.Profile, error) {
	for _, l := range s.Logins {
		if l.Name() == tried.login {
			return l.Authenticate(r.Context(), s.Limits.logins, login.Attempt{
				Name: tried.username, Password: password, Address: s.ClientIP(r),
				Browser: s.knownAs(r, l, l.Subject(tried.username)),
			})
		}
	}
	return tokens.Profile{}, errForbidden // our form names only logins that exist
}

// showLoginError tells a person why they are not signed in. An unknown name and
// a wrong password look alike.
func (s *Server) showLoginError(w http.ResponseWriter, r *http.Request, v visit, tried loginProblem, err error) error {
	texts := v.texts()
	wait := new(login.WaitError)
	outcome := tokens.OutcomeFailed
	switch {
	case errors.Is(err, login.ErrWrong):
		tried.text, tried.wrong = texts.WrongPassword, true
	case errors.As(err, &wait):
		tried.text, tried.status, tried.after, outcome = texts.TryAfter(wait.After), http.StatusTooManyRequests, wait.After, tokens.OutcomeDelayed
		if wait.Busy {
			tried.text, tried.status, outcome = texts.Busy, http.StatusServiceUnavailable, tokens.OutcomeBusy
		}
	default:
		return err
	}
	s.Observer.Happened(r.Context(), tokens.Event{Kind: tokens.EventLogin, Outcome: outcome, Client: v.client(), About: tried.login + " " + tried.username})
	return s.showLogin(w, r, v, tried)
}

// loginProblem is what the login page says about the last try.
type loginProblem struct {
	username, login string // as tried
	text            string
	wrong           bool // the fields are to blame
	status          int
	after           time.Duration // how long to wait
}

// showLogin shows the login page.
func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, v visit, p loginProblem) error {
	texts := v.texts()
	if len(s.Logins) == 0 {
		html, err := s.pages.Message(texts, pages.Message{Title: texts.ErrorTitle, Text: texts.NoLogin, Failed: true})
		s.writePage(w, http.StatusServiceUnavailable, html, err, pageOptions{})
		return nil
	}
	sealed, err := s.sealTicket(w, r, ticketLogin, ticket{Auth: v.auth, Page: v.page})
	if err != nil {
		return err
	}
	page := pages.Login{
		Action:        s.pathOf("login"),
		Ticket:        sealed,
		Client:        s.clientName(v.client()),
		Username:      p.username,
		Problem:       p.text,
		WrongPassword: p.wrong,
	}
	options := pageOptions{form: true}
	if v.page != nil {
		page.Purpose = v.page.Purpose
	} else {
		options.leaves = answersByRedirect(v.auth)
		if p.text == "" {
			page.Username = v.auth.LoginHint
		}
	}
	for _, l := range s.Logins {
		page.Logins = append(page.Logins, pages.Option{Name: l.Name(), Label: l.Label(), Selected: l.Name() == p.login})
	}
	html, err := s.pages.Login(texts, page)
	if p.after > 0 {
		w.Header().Set("Retry-After", retryAfter(p.after))
	}
	s.writePage(w, max(p.status, http.StatusOK), html, err, options)
	return nil
}

// showStart answers somebody who came to a form's address by themselves.
func (s *Server) showStart(w http.ResponseWriter, r *http.Request) error {
	t := pages.In(r.URL.Query().Get("ui_locales"))
	html, err := s.pages.Message(t, pages.Message{Title: t.StartTitle, Text: t.Start})
	s.writePage(w, http.StatusOK, html, err, pageOptions{})
	return nil
}
