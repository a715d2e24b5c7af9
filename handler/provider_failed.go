package handler

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// failProvider answers a browser whose person does not come in by a provider.
func (s *Server) failProvider(w http.ResponseWriter, r *http.Request, f *flow, l login.Elsewhere, err error) error {
	req := f.request()
	if oauth.IsReason(err, oauth.ReasonUserDisabled) {
		return s.showLogin(w, r, req, loginProblem{text: s.textsFor(r, req).Disabled, status: http.StatusForbidden})
	}
	failed, ok := errors.AsType[*login.FailedError](err)
	if !ok {
		return err
	}
	s.Observer.Happened(r.Context(), oauth.Event{
		Kind: oauth.EventLogin, Outcome: failureOutcome(failed), Client: req.client(), About: l.Name() + " " + failed.ID, Cause: failed,
	})
	texts := s.textsFor(r, req)
	switch failed.Failure {
	case login.FailedCancelled:
		return s.showLogin(w, r, req, loginProblem{text: texts.Cancelled, status: http.StatusForbidden})
	case login.FailedAgain:
		return s.beginAgain(w, r, f, l, texts.ProviderExpired)
	case login.FailedForged:
		return s.showStray(w, r)
	case login.FailedNotAllowed:
		text := texts.NotAllowed
		if failed.Reason == groupsUnknown {
			text = texts.GroupsUnknown
		}
		return s.showLogin(w, r, req, loginProblem{
			text: text, status: http.StatusForbidden,
			refused: &refusedAccount{account: failed.Account, subject: l.Name() + "|" + failed.ID, login: l.Name()},
		})
	case login.FailedNotMet:
		if req.auth != nil {
			return s.answerError(w, r, req.auth, notMet(f))
		}
		return s.showLogin(w, r, req, loginProblem{text: texts.SignInAgain, status: http.StatusForbidden})
	case login.FailedBroken:
		return s.showLogin(w, r, req, loginProblem{text: texts.ProviderBroken(l.Label()), status: http.StatusServiceUnavailable})
	case login.FailedBusy:
		p := loginProblem{text: texts.Busy, status: http.StatusServiceUnavailable, after: failed.After}
		if tooOften(failed) {
			p.text, p.status = texts.TryAfter(failed.After), http.StatusTooManyRequests
		}
		return s.showLogin(w, r, req, p)
	case login.FailedDown, login.FailedGone:
	}
	p := loginProblem{text: texts.ProviderDown(l.Label()), status: http.StatusServiceUnavailable, after: max(failed.After, providerPause)}
	return s.showLogin(w, r, req, p)
}

// showNotAllowed says that an application is not for whom has signed in. They may
// take another account, or go back to the application.
func (s *Server) showNotAllowed(w http.ResponseWriter, r *http.Request, req loginRequest, l *tokens.Login, why error) error {
	s.report(r.Context(), "authorize", s.about(req.client(), why))
	return s.showLogin(w, r, req, loginProblem{
		text: s.textsFor(r, req).NotForYou, status: http.StatusForbidden,
		refused: &refusedAccount{account: personName(l.Profile), subject: l.Profile.Subject, login: l.Profile.Login},
	})
}

// Reasons of a login.FailedError: of a limit of this node, and of package upstream.
const (
	tooManyFailures = "too_many_failures" // from one address
	tooManySignIns  = "too_many_sign_ins" // of one person
	groupsUnknown   = "groups_unknown"
)

// tooOften reports whether one address or person has come too often.
func tooOften(failed *login.FailedError) bool {
	return failed.Reason == tooManyFailures || failed.Reason == tooManySignIns
}

// providerPause is when to try again at a provider that is down.
const providerPause = 10 * time.Second

// notMet is what the client hears where the provider did not do what was asked.
func notMet(f *flow) *oauth.Error {
	if len(f.Departure.Asked.ACRs) > 0 && !f.Departure.Asked.Again && !f.Departure.Asked.HasMaxAge {
		return &oauth.Error{Code: oauth.UnmetAuthentication, Description: "The person could not sign in by any of the acr_values."}
	}
	return &oauth.Error{Code: oauth.LoginRequired, Description: "The person did not sign in as it was asked for."}
}

// failureOutcome is a failure as metrics know it.
func failureOutcome(failed *login.FailedError) oauth.Outcome {
	switch failed.Failure {
	case login.FailedDown, login.FailedGone:
		return oauth.OutcomeProviderDown
	case login.FailedBroken:
		return oauth.OutcomeProviderBroken
	case login.FailedCancelled:
		return oauth.OutcomeCancelled
	case login.FailedAgain:
		return oauth.OutcomeExpired
	case login.FailedNotAllowed:
		return oauth.OutcomeNotAllowed
	case login.FailedNotMet:
		return oauth.OutcomeNotMet
	case login.FailedBusy:
		if tooOften(failed) {
			return oauth.OutcomeDelayed
		}
		return oauth.OutcomeBusy
	case login.FailedForged:
	}
	return oauth.OutcomeFailed
}

// strayCallback answers a browser that came back without a way there: from a
// bookmark, with its cookies deleted, or because somebody else has sent it.
func (s *Server) strayCallback(w http.ResponseWriter, r *http.Request, name string) error {
	s.Observer.Happened(r.Context(), oauth.Event{Kind: oauth.EventLogin, Outcome: oauth.OutcomeFailed, About: name + " "})
	return s.showStray(w, r)
}

// showStray tells anybody, signed in or not, where to begin.
func (s *Server) showStray(w http.ResponseWriter, r *http.Request) error {
	t := s.texts(r, "")
	html, err := s.pages.Message(t, pages.Message{Title: t.StrayTitle, Text: t.Stray, Failed: true})
	s.writePage(w, http.StatusBadRequest, html, err, pageOptions{})
	return nil
}
