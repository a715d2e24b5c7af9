package handler

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// authorize is the authorization endpoint.
// See RFC 6749 §3.1, OpenID Connect Core §3.1.2.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	q, err := authorizeParams(r)
	if err != nil {
		return err
	}
	if s.withoutCookies(r) {
		return s.sendOn(w, r, "authorize", q)
	}
	if answered, err := s.meet(w, r, q); answered || err != nil {
		return s.about(q.Get("client_id"), err)
	}
	return s.asked(w, r, q, progress{})
}

// asked reads an authorization request, and goes on with it.
func (s *Server) asked(w http.ResponseWriter, r *http.Request, q url.Values, p progress) error {
	a, err := s.Issuer.ParseAuthorization(r.Context(), q)
	if err != nil {
		err = s.about(q.Get("client_id"), err)
		if a == nil {
			return err // nowhere to send it that can be trusted
		}
		s.report(r.Context(), "authorize", err)
		return s.answerError(w, r, a, oauth.AsError(err))
	}
	if !p.fresh {
		if p.login, err = s.Issuer.CurrentLoginAt(r.Context(), s.session(r), a.ClientID); err != nil {
			return s.refuseRequest(w, r, a, err)
		}
	}
	return s.proceed(w, r, a, p)
}

// progress is how far a person has come with one authorization request.
type progress struct {
	login  *tokens.Login // nil while nobody is signed in
	fresh  bool          // signed in for this request
	unseen bool          // at a provider, without a page of ours
	again  bool          // was asked before, on a page that had gone stale
	anew   bool          // begun once more, since the consent had just changed
	ask    bool          // they have just refused, on a page that decides nothing any more
}

// proceed takes an authorization request one step on: to the login page, to
// the consent page, or back to the client with a code.
func (s *Server) proceed(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, p progress) error {
	unvouched, err := s.revouch(r, &p, silent(a))
	if err != nil {
		return s.refuseRequest(w, r, a, err)
	}
	step, err := s.Issuer.NextStep(r.Context(), a, p.login, tokens.Progress{Fresh: p.fresh, Unseen: p.unseen})
	if oauth.IsReason(err, oauth.ReasonNotAllowed) && !silent(a) {
		return s.showNotAllowed(w, r, loginRequest{auth: a}, p.login, err)
	}
	if err != nil {
		return s.refuseRequest(w, r, a, err)
	}
	if step == tokens.StepIssue && p.ask {
		step = tokens.StepConsent
	}
	switch step {
	case tokens.StepLogin:
		if l, ok := s.provider(loginRequest{auth: a}, unvouched); ok {
			return s.leave(w, r, loginRequest{auth: a}, l, leaving{})
		}
		req, problem := loginRequest{auth: a}, loginProblem{}
		if p.again {
			problem = loginProblem{text: s.textsFor(r, req).SignInAgain, status: http.StatusForbidden}
		}
		if s.cameElsewhere(r, a, p.login) {
			problem = loginProblem{text: s.textsFor(r, req).OtherLogin, status: http.StatusForbidden}
		}
		if l, ok := s.straightTo(r, req); ok && !p.again {
			return s.leave(w, r, req, l, leaving{})
		}
		return s.showLogin(w, r, req, problem)
	case tokens.StepConsent:
		return s.showConsent(w, r, a, p)
	case tokens.StepIssue:
	}
	return s.issue(w, r, a, p)
}

// issue sends a code to the client. Where a consent that it rests on has just changed, the
// request is looked at once more.
func (s *Server) issue(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, p progress) error {
	code, err := s.Issuer.IssueCode(r.Context(), a, p.login)
	if errors.Is(err, tokens.ErrConsentChanged) && !p.anew {
		p.anew = true
		p.login = p.login.WithoutConsent()
		return s.proceed(w, r, a, p)
	}
	if err != nil {
		return s.refuseRequest(w, r, a, err)
	}
	return s.answerCode(w, r, a, code)
}

// cameElsewhere reports whether somebody is signed in by a login that the client does not take.
func (s *Server) cameElsewhere(r *http.Request, a *tokens.Authorization, l *tokens.Login) bool {
	if l == nil {
		return false
	}
	client, err := s.Issuer.Asking(r.Context(), a)
	return err == nil && !client.Admits(l.Profile.Login)
}

// revouch asks the provider of somebody who is signed in once more, where that is due. If
// it does not vouch for them any more, nobody is signed in: it returns the
// name of their login, where they have to prove it anew.
func (s *Server) revouch(r *http.Request, p *progress, silent bool) (login string, err error) {
	if p.login == nil || p.fresh {
		return "", nil
	}
	before := p.login.Profile.Login
	p.login, err = s.Issuer.Revouched(r.Context(), p.login, s.session(r))
	if errors.Is(err, tokens.ErrUnvouched) && !silent { // their provider's page is the place
		err = nil
	}
	if err != nil || p.login != nil {
		return "", err
	}
	return before, nil
}

// refuseRequest sends an error to the client. Only a fault that will pass is
// shown to the person instead, who can try again at once; without a page to
// show (prompt=none) the client hears of that too. Nothing is sent to an address that is not
// the client's any more.
func (s *Server) refuseRequest(w http.ResponseWriter, r *http.Request, a *tokens.Authorization, err error) error {
	e := oauth.AsError(err)
	if e.Code == oauth.TemporarilyUnavailable && !silent(a) || e.Reason == oauth.ReasonBadRedirect {
		return err
	}
	s.report(r.Context(), "authorize", s.about(a.ClientID, err))
	return s.answerError(w, r, a, e)
}
