package handler

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// actionCancel is the value of the button that says no, on every form.
const actionCancel = "cancel"

// actionAnother is the value of the button for who is not the person on the page. It
// ends nothing: their session is replaced once somebody else has signed in.
const actionAnother = "another"

// login takes the login form. Its page is shown in place of the answer to an
// authorization request, or of a page of ours, so that there is nothing to
// begin with here.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		t, err := s.carriedTicket(r, ticketLogin)
		switch {
		case err != nil:
			return err
		case t == nil:
			return s.showStart(w, r)
		}
		req := loginRequest{auth: t.Auth, page: t.Page}
		return s.showLogin(w, r, req, loginProblem{text: s.textsFor(r, req).SignInAgain})
	}
	if !s.sameOrigin(r) {
		return wire.ErrForbidden
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	t, err := s.openTicket(r, ticketLogin, form.Get("request"))
	if err != nil && !errors.Is(err, errTicketStale) {
		return err
	}
	req := loginRequest{auth: t.Auth, page: t.Page}
	if form.Get("action") == actionCancel {
		return s.notSignedIn(w, r, req)
	}
	if l, ok := s.provider(req, form.Get("provider")); ok {
		return s.leave(w, r, req, l, leaving{seen: true, another: form.Get("account") == "another"})
	}
	tried := loginProblem{username: form.Get("username"), login: form.Get("login"), status: http.StatusForbidden}
	switch {
	case errors.Is(err, errTicketExpired):
		tried.text = s.textsFor(r, req).TookTooLong
		return s.showLogin(w, r, req, tried)
	case err != nil:
		tried.text = s.textsFor(r, req).SignInAgain
		return s.showLogin(w, r, req, tried)
	}
	profile, err := s.checkPassword(r, req, tried, form.Get("password"))
	if err != nil {
		return s.showLoginError(w, r, req, tried, err)
	}
	return s.signIn(w, r, req, tried, profile)
}

// signIn begins the session and takes the person on.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, req loginRequest, tried loginProblem, profile tokens.Profile) error {
	l, value, err := s.Issuer.SignIn(r.Context(), profile, s.session(r))
	if oauth.IsReason(err, oauth.ReasonUserChanged) { // the password before: it is a wrong one
		tried.text, tried.wrong = s.textsFor(r, req).WrongPassword, true
		return s.showLogin(w, r, req, tried)
	}
	if oauth.IsReason(err, oauth.ReasonUserDisabled) {
		return s.showLogin(w, r, req, loginProblem{text: s.textsFor(r, req).Disabled, status: http.StatusForbidden})
	}
	if err != nil {
		return err
	}
	s.setSession(w, value, l.Session.Expires)
	s.rememberBrowser(w, r, profile)
	s.rememberLogin(w, r, profile.Login)
	return s.signedIn(w, r, req, progress{login: l, fresh: true})
}

// checkPassword asks the login that the form names.
func (s *Server) checkPassword(r *http.Request, req loginRequest, tried loginProblem, password string) (tokens.Profile, error) {
	for _, l := range s.loginsFor(req) {
		if l, ok := l.(login.Password); ok && l.Name() == tried.login {
			return l.Authenticate(r.Context(), s.Limits.logins, login.Attempt{
				Name: tried.username, Password: password, Address: s.ClientIP(r),
				Browser: s.knownAs(r, l, l.Subject(tried.username)),
			})
		}
	}
	return tokens.Profile{}, wire.ErrForbidden // our form names only logins that exist
}

// showLoginError tells a person why they are not signed in. An unknown name and
// a wrong password look alike.
func (s *Server) showLoginError(w http.ResponseWriter, r *http.Request, req loginRequest, tried loginProblem, err error) error {
	texts := s.textsFor(r, req)
	wait := new(login.WaitError)
	outcome := oauth.OutcomeFailed
	switch {
	case errors.Is(err, login.ErrWrong):
		tried.text, tried.wrong = texts.WrongPassword, true
	case errors.As(err, &wait):
		tried.text, tried.status, tried.after, outcome = texts.TryAfter(wait.After), http.StatusTooManyRequests, wait.After, oauth.OutcomeDelayed
		if wait.Busy {
			tried.text, tried.status, outcome = texts.Busy, http.StatusServiceUnavailable, oauth.OutcomeBusy
		}
	default:
		return err
	}
	s.Observer.Happened(r.Context(), oauth.Event{Kind: oauth.EventLogin, Outcome: outcome, Client: req.client(), About: tried.login + " " + tried.username})
	return s.showLogin(w, r, req, tried)
}

// loginProblem is what the login page says about the last try.
type loginProblem struct {
	username, login string // as tried
	text            string
	wrong           bool // the fields are to blame
	status          int
	after           time.Duration // how long to wait
	another         bool          // they want another account than the one that they have
	refused         *refusedAccount
}

// refusedAccount is an account that may not come in.
type refusedAccount struct{ account, subject, login string }

// showLogin shows the login page.
func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, req loginRequest, p loginProblem) error {
	texts := s.textsFor(r, req)
	logins := s.loginsFor(req)
	if len(logins) == 0 {
		html, err := s.pages.Message(texts, pages.Message{Title: texts.ErrorTitle, Text: texts.NoLogin, Failed: true})
		s.writePage(w, http.StatusServiceUnavailable, html, err, pageOptions{})
		return nil
	}
	sealed, err := s.sealTicket(w, r, ticketLogin, ticket{Auth: req.auth, Page: req.page})
	if err != nil {
		return err
	}
	page := pages.Login{
		Action:        s.pathOf("login"),
		Ticket:        sealed,
		Client:        s.callerName(r.Context(), req, texts),
		Username:      p.username,
		Problem:       p.text,
		WrongPassword: p.wrong,
		Another:       p.another,
	}
	options := pageOptions{form: true}
	if p.refused != nil || p.status == http.StatusServiceUnavailable {
		page.Reference, page.Time = s.reference(r, texts)
	}
	if req.page != nil {
		page.Purpose = req.page.Purpose
	} else {
		options.leaves = answersByRedirect(req.auth)
		if p.text == "" && !p.another {
			page.Username = req.auth.LoginHint
		}
	}
	for _, l := range s.lastUsedFirst(r, logins) {
		option := pages.Option{Name: l.Name(), Label: l.Label(), Selected: l.Name() == p.login}
		if _, ok := l.(login.Elsewhere); ok {
			page.Providers = append(page.Providers, option)
			options.leaves = true
		} else {
			page.Logins = append(page.Logins, option)
			options.script = cmp.Or(options.script, nonce())
		}
	}
	if p.refused != nil {
		page.Refused = &pages.Refused{Account: p.refused.account, Subject: p.refused.subject}
		if _, ok := s.provider(req, p.refused.login); ok {
			page.Refused.Login = p.refused.login
		}
	}
	page.Nonce = options.script
	html, err := s.pages.Login(texts, page)
	if p.after > 0 {
		w.Header().Set("Retry-After", wire.RetryAfter(p.after))
	}
	s.writePage(w, max(p.status, http.StatusOK), html, err, options)
	return nil
}

// signedIn takes a person who has just signed in on to what they came for.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request, req loginRequest, p progress) error {
	switch {
	case req.page != nil && req.page.Caller != "":
		return s.metBy(w, r, req.page, p)
	case req.page != nil:
		s.redirect(w, req.page.Path)
		return nil
	}
	return s.proceed(w, r, req.auth, p)
}

// notSignedIn answers a person who does not want to sign in.
func (s *Server) notSignedIn(w http.ResponseWriter, r *http.Request, req loginRequest) error {
	if req.page == nil {
		return s.answerError(w, r, req.auth, &oauth.Error{Code: oauth.AccessDenied, Description: "The user did not sign in."})
	}
	t := s.textsFor(r, req)
	html, err := s.pages.Message(t, pages.Message{Title: t.NotSignedInTitle, Text: t.NothingChanged})
	s.writePage(w, http.StatusOK, html, err, pageOptions{})
	return nil
}
