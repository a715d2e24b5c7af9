package handler

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/once"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// deviceAnswer is what a device shows and polls with. See RFC 8628 §3.2.
type deviceAnswer struct {
	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	VerificationURI string `json:"verification_uri"`
	Complete        string `json:"verification_uri_complete"`
	ExpiresIn       int64  `json:"expires_in"` // seconds
	Interval        int64  `json:"interval"`   // seconds
}

// deviceCode is the device authorization endpoint. See RFC 8628 §3.1.
func (s *Server) deviceCode(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(w, r, p)
	if err != nil {
		return err
	}
	if !s.Limits.devices.take(login.Place(s.ClientIP(r)), s.Clock()) {
		return errTooManyDevices
	}
	d, err := s.Issuer.AuthorizeDevice(r.Context(), client, p.get("scope"), p.audiences())
	if err != nil {
		return s.about(client.ID, err)
	}
	at := s.urlOf("activate")
	wire.WriteJSON(w, http.StatusOK, deviceAnswer{
		DeviceCode: d.DeviceCode, UserCode: d.UserCode, VerificationURI: at, Complete: at + "?" + userCodeQuery(d.UserCode),
		ExpiresIn: int64(d.Lifetime.Seconds()), Interval: int64(d.Interval.Seconds()),
	})
	return nil
}

func userCodeQuery(code string) string { return url.Values{"user_code": {code}}.Encode() }

// activate is the page where a person lets a device in: they type its code,
// or bring it in the address, and then see what they would allow. A code in the
// address only fills in the form, so that a link looks up and decides nothing.
// See RFC 8628 §3.3 and §5.4.
func (s *Server) activate(w http.ResponseWriter, r *http.Request) error {
	l, err := s.Issuer.CurrentLogin(r.Context(), s.session(r))
	if err == nil && l != nil { // a device gets what a code gets
		l, err = s.Issuer.Revouched(r.Context(), l, s.session(r))
		if errors.Is(err, tokens.ErrUnvouched) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	if r.Method != http.MethodPost {
		q, err := readQuery(r)
		if err == nil {
			err = oauth.CheckParams(q)
		}
		if err != nil {
			return err
		}
		return s.showActivate(w, r, l, activation{code: q.Get("user_code"), locales: s.texts(r, q.Get("ui_locales")).Lang, status: http.StatusOK})
	}
	if !s.sameOrigin(r) {
		return wire.ErrForbidden
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	switch form.Get("action") {
	case "continue":
		return s.findDevice(w, r, l, form)
	case actionAnother:
		return s.anotherAtDevice(w, r, form)
	}
	return s.decideDevice(w, r, l, form)
}

// anotherAtDevice asks somebody else to sign in, from either of the forms.
func (s *Server) anotherAtDevice(w http.ResponseWriter, r *http.Request, form url.Values) error {
	a := activation{code: form.Get("user_code"), another: true}
	t, err := s.openTicket(r, ticketCode, form.Get("request"))
	if errors.Is(err, errTicketBad) {
		if t, err = s.openTicket(r, ticketDevice, form.Get("request")); t != nil {
			a.code = t.Code
		}
	}
	if err != nil && !errors.Is(err, errTicketStale) {
		return err
	}
	a.locales = t.Page.UILocales
	return s.signInToActivate(w, r, a, "")
}

// activation is what the page that asks for a code shows.
type activation struct {
	code    string // as typed, or from the address
	locales string
	problem string
	status  int
	another bool // somebody else wants to sign in
}

// showActivate asks for the code, or first who the person is.
func (s *Server) showActivate(w http.ResponseWriter, r *http.Request, l *tokens.Login, a activation) error {
	code, ok := tokens.ParseUserCode(a.code)
	if ok {
		a.code = tokens.FormatUserCode(code)
	} else if a.problem == "" {
		a.code = ""
	}
	texts := s.texts(r, a.locales)
	if l == nil {
		return s.signInToActivate(w, r, a, "")
	}
	sealed, err := s.sealTicket(w, r, ticketCode, ticket{Session: l.Session.ID, Page: &ownPage{UILocales: a.locales}})
	if err != nil {
		return err
	}
	html, err := s.pages.Activate(texts, pages.Activate{
		Action: s.pathOf("activate"), Ticket: sealed, Person: personName(l.Profile), UserCode: a.code, Problem: a.problem,
	})
	s.writePage(w, a.status, html, err, pageOptions{form: true})
	return nil
}

// signInToActivate asks who the person is, of those whom a client takes.
func (s *Server) signInToActivate(w http.ResponseWriter, r *http.Request, a activation, client string) error {
	texts := s.texts(r, a.locales)
	page := &ownPage{Path: s.pathOf("activate"), Purpose: texts.ToActivate, UILocales: a.locales, Client: client}
	if code, ok := tokens.ParseUserCode(a.code); ok {
		page.Path += "?" + userCodeQuery(tokens.FormatUserCode(code))
	}
	p := loginProblem{another: a.another}
	switch {
	case client != "":
		p = loginProblem{text: texts.OtherLogin, status: http.StatusForbidden}
	case a.problem != "":
		p = loginProblem{text: texts.SignInAgain, status: a.status}
	}
	return s.showLogin(w, r, loginRequest{page: page}, p)
}

// findDevice takes the code that a person has typed, and shows who waits under it.
func (s *Server) findDevice(w http.ResponseWriter, r *http.Request, l *tokens.Login, form url.Values) error {
	t, err := s.openTicket(r, ticketCode, form.Get("request"))
	if err != nil && !errors.Is(err, errTicketStale) {
		return err
	}
	a := activation{code: form.Get("user_code"), locales: t.Page.UILocales, status: http.StatusOK}
	if err != nil || l == nil || l.Session.ID != t.Session {
		return s.showActivate(w, r, l, a) // the page was open for long: once more
	}
	texts := s.texts(r, a.locales)
	if _, ok := tokens.ParseUserCode(a.code); !ok { // no guess: it can be nobody's code
		a.problem, a.status = texts.WrongCode, http.StatusBadRequest
		return s.showActivate(w, r, l, a)
	}
	undo, err := s.Limits.guesses.Begin(l.Session.User, s.ClientIP(r), s.Clock())
	if wait := new(login.WaitError); errors.As(err, &wait) {
		s.observeGuess(r, l, "delayed")
		w.Header().Set("Retry-After", wire.RetryAfter(wait.After))
		a.problem, a.status = texts.TryAfter(wait.After), http.StatusTooManyRequests
		return s.showActivate(w, r, l, a)
	}
	d, err := s.Issuer.FindDevice(r.Context(), a.code)
	if err != nil {
		undo()
		return err
	}
	if d == nil {
		s.observeGuess(r, l, "wrong_code")
		a.problem, a.status = texts.WrongCode, http.StatusBadRequest
		return s.showActivate(w, r, l, a)
	}
	undo()
	if client, ok := s.Issuer.Configured(d.ClientID); !ok || !client.Admits(l.Profile.Login) {
		return s.signInToActivate(w, r, a, d.ClientID)
	}
	return s.showDevice(w, r, l, d, a)
}

func (s *Server) observeGuess(r *http.Request, l *tokens.Login, outcome oauth.Outcome) {
	s.Observer.Happened(r.Context(), oauth.Event{
		Kind: oauth.EventDevice, Outcome: outcome, Subject: l.Profile.Subject, User: l.Session.User,
	})
}

// showDevice asks whether the device may have what it asked for.
func (s *Server) showDevice(w http.ResponseWriter, r *http.Request, l *tokens.Login, d *tokens.DeviceRequest, a activation) error {
	texts := s.texts(r, a.locales)
	sealed, err := s.sealTicket(w, r, ticketDevice, ticket{Session: l.Session.ID, Device: d, Code: a.code, Page: &ownPage{UILocales: a.locales}})
	if err != nil {
		return err
	}
	code, _ := tokens.ParseUserCode(a.code) // it was found
	html, err := s.pages.Device(texts, pages.Device{
		Action:   s.pathOf("activate"),
		Ticket:   sealed,
		Client:   s.clientName(d.ClientID),
		Person:   personName(l.Profile),
		UserCode: tokens.FormatUserCode(code),
		Access:   s.accessTexts(texts, s.Issuer.ScopesOf(l, d.Grant.Scopes, d.Grant.Audiences), d.Grant.Audiences),
	})
	s.writePage(w, http.StatusOK, html, err, pageOptions{form: true})
	return nil
}

// decideDevice takes the form that approves a device: once, from the session
// and the browser that it was shown to. Anybody else begins again with the code.
func (s *Server) decideDevice(w http.ResponseWriter, r *http.Request, l *tokens.Login, form url.Values) error {
	t, stale := s.openTicket(r, ticketDevice, form.Get("request"))
	if stale != nil && !errors.Is(stale, errTicketStale) {
		return stale
	}
	texts := s.texts(r, t.Page.UILocales)
	if stale != nil || l == nil || l.Session.ID != t.Session {
		return s.showActivate(w, r, l, activation{code: t.Code, locales: t.Page.UILocales, problem: texts.AnswerAgain, status: http.StatusForbidden})
	}
	answer, err := s.Limits.used.Do(r.Context(), t.ID, s.Clock, func() (formAnswer, error) {
		ctx, done := storage.Decisive(r.Context()) // a second click hangs up on the first one
		defer done()
		return s.answerDevice(ctx, t, l, texts, form.Get("action") == "allow")
	})
	if errors.Is(err, once.ErrUsed) {
		answer, err = formAnswer{message: pages.Message{Title: texts.DeniedTitle, Text: texts.TooLate, Failed: true}, status: http.StatusForbidden}, nil
	}
	if err != nil {
		return err
	}
	html, err := s.pages.Message(texts, answer.message)
	s.writePage(w, answer.status, html, err, pageOptions{})
	return nil
}

// answerDevice does what a person has decided, and says so.
func (s *Server) answerDevice(ctx context.Context, t *ticket, l *tokens.Login, texts *pages.Texts, allowed bool) (formAnswer, error) {
	answer := formAnswer{message: pages.Message{Title: texts.DeniedTitle, Text: texts.Denied}, status: http.StatusOK}
	decide := s.Issuer.DenyDevice
	if allowed {
		answer.message, decide = pages.Message{Title: texts.ConnectedTitle, Text: texts.Connected}, s.Issuer.ApproveDevice
	}
	err := decide(ctx, t.Device, l)
	if refusal, ok := errors.AsType[*oauth.Error](err); ok && refusal.Code == oauth.ExpiredToken {
		return formAnswer{message: pages.Message{Title: texts.DeniedTitle, Text: texts.TooLate, Failed: true}, status: http.StatusBadRequest}, nil
	}
	return answer, err
}
