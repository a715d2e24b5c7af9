package handler

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/once"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// consent takes the consent form: once, from the session and the browser that
// it was shown to, for the request that it was shown for. Anybody else is asked again.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return s.consentAgain(w, r)
	}
	if !s.sameOrigin(r) {
		return wire.ErrForbidden
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	t, stale := s.openTicket(r, ticketConsent, form.Get("request"))
	if stale != nil && !errors.Is(stale, errTicketStale) {
		return stale
	}
	if form.Get("action") == actionAnother {
		return s.showLogin(w, r, loginRequest{auth: t.Auth}, loginProblem{another: true})
	}
	login, err := s.Issuer.CurrentLoginAt(r.Context(), s.session(r), t.Auth.ClientID)
	if err == nil && login != nil {
		now := progress{login: login}
		_, err = s.revouch(r, &now, false)
		login = now.login
	}
	if err != nil {
		return err
	}
	allowed := form.Get("action") == "allow"
	if stale == nil && login != nil && login.Session.ID == t.Session {
		err = s.answerConsent(w, r, t, login, allowed)
		if !errors.Is(err, once.ErrUsed) {
			return err
		}
		login = login.WithoutConsent()
	}
	return s.proceed(w, r, t.Auth, progress{login: login, fresh: stale == nil && t.freshFor(login), again: true, ask: !allowed})
}

// consentAgain shows the form that was posted at another host.
func (s *Server) consentAgain(w http.ResponseWriter, r *http.Request) error {
	t, err := s.carriedTicket(r, ticketConsent)
	switch {
	case err != nil:
		return err
	case t == nil:
		return s.showStart(w, r)
	}
	login, err := s.Issuer.CurrentLoginAt(r.Context(), s.session(r), t.Auth.ClientID)
	if err != nil {
		return err
	}
	return s.proceed(w, r, t.Auth, progress{login: login, again: true})
}

// freshFor reports whether a person has signed in for the request of a consent
// form, or after it was shown.
func (t *ticket) freshFor(l *tokens.Login) bool {
	shown := time.Unix(t.Expires, 0).Add(-ticketLifetime)
	return t.Fresh && l != nil && (l.Session.ID == t.Session || l.Session.Begun.After(shown))
}

// answerConsent sends what a person has decided to the client, and the same again
// for a second click.
func (s *Server) answerConsent(w http.ResponseWriter, r *http.Request, t *ticket, login *tokens.Login, allowed bool) error {
	answer, err := s.Limits.used.Do(r.Context(), t.ID, s.Clock, func() (formAnswer, error) {
		if !allowed {
			s.Observer.Happened(r.Context(), oauth.Event{
				Kind: oauth.EventConsent, Outcome: oauth.OutcomeDenied, Client: t.Auth.ClientID, Subject: login.Profile.Subject, User: login.Session.User,
			})
			return formAnswer{fields: errorFields(&oauth.Error{Code: oauth.AccessDenied, Description: "The user did not consent."})}, nil
		}
		if step, err := s.Issuer.NextStep(r.Context(), t.Auth, login, tokens.Progress{Fresh: t.Fresh, Agreed: t.Asked}); err != nil || step != tokens.StepIssue {
			return formAnswer{}, cmp.Or(err, once.ErrUsed) // max_age has passed, say, or a consent was withdrawn in another tab
		}
		// A second click hangs up on the first one, which decides all the same.
		ctx, done := storage.Decisive(r.Context())
		defer done()
		code, err := s.Issuer.IssueAgreed(ctx, t.Auth, login)
		if errors.Is(err, tokens.ErrConsentChanged) {
			err = once.ErrUsed
		}
		return formAnswer{fields: codeFields(code)}, err
	})
	switch {
	case errors.Is(err, once.ErrUsed):
		return err
	case err != nil:
		return s.refuseRequest(w, r, t.Auth, err)
	}
	return s.answer(w, r, t.Auth, answer.fields)
}

// showConsent asks whether the client may go on.
func (s *Server) showConsent(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, p progress) error {
	question, err := s.Issuer.Question(r.Context(), a, p.login, false)
	if err != nil {
		return s.refuseRequest(w, r, a, err)
	}
	stranger, err := s.stranger(r.Context(), a)
	if err != nil {
		return err
	}
	sealed, err := s.sealTicket(w, r, ticketConsent, ticket{Auth: a, Session: p.login.Session.ID, Fresh: p.fresh, Asked: question})
	if err != nil {
		return err
	}
	texts, scopes := s.texts(r, a.UILocales), s.Issuer.ScopesOf(p.login, a.Scopes, a.Audiences)
	access := s.accessTexts(texts, scopes, a.Audiences)
	if question != nil {
		access = s.questionTexts(texts, question, scopes, a.Audiences)
	}
	problem, status := "", http.StatusOK
	if p.again {
		problem, status = texts.AnswerAgain, http.StatusForbidden
	}
	html, err := s.pages.Consent(texts, pages.Consent{
		Problem:     problem,
		Action:      s.pathOf("consent"),
		Ticket:      sealed,
		Client:      s.clientName(a.ClientID),
		Person:      personName(p.login.Profile),
		Destination: destinationOf(a.RedirectURI),
		Stranger:    stranger,
		Access:      access,
	})
	s.writePage(w, status, html, err, pageOptions{form: true, leaves: answersByRedirect(a)})
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
