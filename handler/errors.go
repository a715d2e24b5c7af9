package handler

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// This file is the only place where an error of the core becomes an answer of
// the authorization server (the guard's are in guard/refusal.go). There are three
// kinds: OAuth JSON for programs (RFC 6749 §5.2), a Bearer challenge
// (RFC 6750 §3), a page for people. None repeats anything of the request but an
// address that the application has not registered, on a page, as text.

// oauthError is the body of an error answer. See RFC 6749 §5.2.
type oauthError struct {
	Error       oauth.ErrorCode `json:"error"`
	Description string          `json:"error_description,omitempty"`
}

// failJSON answers a program.
func (s *Server) failJSON(w http.ResponseWriter, r *http.Request, err error) {
	e := wire.RefusalOf(err)
	status := wire.StatusOf(err, e)
	h := w.Header()
	if writeLater(w, e, status) {
		return
	}
	if status == http.StatusUnauthorized && basicTried(r) {
		h.Set(wire.ChallengeHeader, `Basic realm="`+wire.Quotable(s.IssuerURL)+`", charset="UTF-8"`)
	}
	wire.WriteJSON(w, status, oauthError{e.Code, wire.Quotable(e.Description)})
}

// failBearer answers a program that presented, or should have presented, an access token.
func (s *Server) failBearer(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, wire.ErrMethod) {
		s.failJSON(w, r, err)
		return
	}
	challenge := `Bearer realm="` + wire.Quotable(s.IssuerURL) + `"`
	if errors.Is(err, wire.ErrNoToken) { // no error code then (RFC 6750 §3.1)
		w.Header().Set(wire.ChallengeHeader, challenge)
		wire.NoStore(w.Header())
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	e := wire.RefusalOf(err)
	status := wire.StatusOf(err, e)
	if writeLater(w, e, status) {
		return
	}
	challenge += wire.ErrorParameters(e)
	if wire.AboutSender(e) {
		status, challenge = http.StatusUnauthorized, wire.DPoPChallenge(wire.ErrorParameters(e))
	}
	w.Header().Set(wire.ChallengeHeader, challenge)
	wire.WriteJSON(w, status, oauthError{e.Code, wire.Quotable(e.Description)})
}

// failPage answers a person: what happened, what they can do now, and by what
// reference the log knows of it.
func (s *Server) failPage(w http.ResponseWriter, r *http.Request, err error) {
	e := wire.RefusalOf(err)
	status := wire.StatusOf(err, e)
	t := s.texts(r, r.URL.Query().Get("ui_locales"))
	m := pages.Message{Title: t.ErrorTitle, Text: t.ErrorText, Detail: e.Description, Code: string(e.Code)}
	if e.Mismatch != nil {
		m.Option = e.Mismatch.Option
		if e.Reason == oauth.ReasonBadRedirect {
			m.Address = oauth.Printable(e.Mismatch.Sent)
		}
	}
	switch status {
	case http.StatusForbidden:
		m = pages.Message{Title: t.ForbiddenTitle, Text: t.Forbidden}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", wire.RetryAfter(e.RetryAfter))
		text := t.Unavailable
		if e.Reason == oauth.ReasonClientDocument {
			text = t.AppUnavailable
		}
		m = pages.Message{Title: t.UnavailableTitle, Text: fmt.Sprintf(text, t.Wait(e.RetryAfter))}
		if r.Method == http.MethodPost {
			m.Note = t.NotCertain
		}
	}
	m.Failed = true
	if isTold(r.Context(), err, e) {
		m.Reference, m.Time = s.reference(r, t)
	}
	page, err := s.pages.Message(t, m)
	s.writePage(w, status, page, err, pageOptions{})
}

// writeLater answers what the client should send again: in plain text, since
// SDKs throw their refresh token away on any JSON error and keep it on these.
func writeLater(w http.ResponseWriter, e *oauth.Error, status int) bool {
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusRequestTimeout:
	default:
		return false
	}
	h := w.Header()
	h.Set("Retry-After", wire.RetryAfter(e.RetryAfter))
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	wire.NoStore(h)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(http.StatusText(status) + "\n"))
	return true
}

// basicTried reports whether the client tried HTTP authentication, and so
// wants a challenge. See RFC 6749 §5.2 invalid_client.
func basicTried(r *http.Request) bool { return len(r.Header["Authorization"]) > 0 }
