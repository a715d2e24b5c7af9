package handler

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// This file is the only place where an error of the core becomes an answer of
// the authorization server (the guard's are in bearer_refuse.go). There are three
// kinds: OAuth JSON for programs (RFC 6749 §5.2), a Bearer challenge
// (RFC 6750 §3), a page for people. None repeats anything of the request.

// challengeHeader is the header of a challenge, WWW-Authenticate, in Go's spelling.
const challengeHeader = "Www-Authenticate"

// errMethod is a method that the endpoint does not serve; Allow is already set.
var errMethod = errors.New("serving request: method not allowed")

// errForbidden is a form that did not come from our own page in this browser.
var errForbidden = errors.New("serving form: not posted by our own page in this browser")

// statusOf is the table from outcome to status.
func statusOf(err error, e *tokens.Error) int {
	if errors.Is(err, errMethod) {
		return http.StatusMethodNotAllowed
	}
	if errors.Is(err, errForbidden) {
		return http.StatusForbidden
	}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, errSlowBody) {
		return http.StatusRequestTimeout
	}
	if e.Reason == tokens.ReasonPersonDenied { // which a device hears as RFC 6749 §5.2 has it
		return http.StatusBadRequest
	}
	switch e.Code {
	case tokens.InvalidClient, tokens.InvalidToken, tokens.InsufficientUserAuthentication:
		return http.StatusUnauthorized
	case tokens.InsufficientScope, tokens.AccessDenied:
		return http.StatusForbidden
	case tokens.TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	case tokens.TooManyRequests:
		return http.StatusTooManyRequests
	default:
		return http.StatusBadRequest
	}
}

// refusalOf returns what err says in OAuth's terms. What is none of the core's
// and none of ours is a fault: TemporarilyUnavailable.
func refusalOf(err error) *tokens.Error {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return malformed("The body is larger than 64 KiB.")
	}
	switch {
	case errors.Is(err, errSlowBody):
		return malformed("The body took too long to arrive.")
	case errors.Is(err, errMethod):
		return malformed("This method is not allowed here.")
	case errors.Is(err, errForbidden):
		return &tokens.Error{Code: tokens.AccessDenied, Reason: tokens.ReasonMalformed}
	}
	return tokens.AsError(err)
}

// report tells the observer of a fault, once. The token endpoint needs none:
// the core reports every refused token request itself.
func (s *Server) report(ctx context.Context, endpoint string, err error) {
	if errors.Is(err, errNoToken) || ctx.Err() != nil {
		return // who hangs up, or shows nothing, is no trouble of the store's
	}
	if e := refusalOf(err); e.Code == tokens.TemporarilyUnavailable && e.Cause != nil && endpoint != "token" {
		s.Observer.Happened(ctx, tokens.Event{Kind: tokens.EventStoreTrouble, Outcome: tokens.Outcome(endpoint), Cause: e.Cause})
	}
}

// oauthError is the body of an error answer. See RFC 6749 §5.2.
type oauthError struct {
	Error       tokens.ErrorCode `json:"error"`
	Description string           `json:"error_description,omitempty"`
}

// failJSON answers a program.
func (s *Server) failJSON(w http.ResponseWriter, r *http.Request, err error) {
	e := refusalOf(err)
	status := statusOf(err, e)
	h := w.Header()
	if writeLater(w, e, status) {
		return
	}
	if status == http.StatusUnauthorized && basicTried(r) {
		h.Set(challengeHeader, `Basic realm="`+quotable(s.IssuerURL)+`", charset="UTF-8"`)
	}
	writeJSON(w, status, oauthError{e.Code, describable(e.Description)})
}

// failBearer answers a program that presented, or should have presented, an access token.
func (s *Server) failBearer(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errMethod) {
		s.failJSON(w, r, err)
		return
	}
	challenge := `Bearer realm="` + quotable(s.IssuerURL) + `"`
	if errors.Is(err, errNoToken) { // no error code then (RFC 6750 §3.1)
		w.Header().Set(challengeHeader, challenge)
		noStore(w.Header())
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	e := refusalOf(err)
	status := statusOf(err, e)
	if writeLater(w, e, status) {
		return
	}
	challenge += challengeError(e)
	if aboutSender(e) {
		status, challenge = http.StatusUnauthorized, dpopError(challengeError(e))
	}
	w.Header().Set(challengeHeader, challenge)
	writeJSON(w, status, oauthError{e.Code, describable(e.Description)})
}

// failPage answers a person.
func (s *Server) failPage(w http.ResponseWriter, r *http.Request, err error) {
	e := refusalOf(err)
	status := statusOf(err, e)
	t := pages.In(r.URL.Query().Get("ui_locales"))
	m := pages.Message{Title: t.ErrorTitle, Text: t.ErrorText, Failed: true, Detail: e.Description, Code: string(e.Code)}
	switch status {
	case http.StatusForbidden:
		m = pages.Message{Title: t.ForbiddenTitle, Text: t.Forbidden, Failed: true}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retryAfter(e.RetryAfter))
		m = pages.Message{Title: t.UnavailableTitle, Text: t.Unavailable, Failed: true}
	}
	html, err := s.pages.Message(t, m)
	s.writePage(w, status, html, err, pageOptions{})
}

// writeLater answers what the client should send again: in plain text, since
// SDKs throw their refresh token away on any JSON error and keep it on these.
func writeLater(w http.ResponseWriter, e *tokens.Error, status int) bool {
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusRequestTimeout:
	default:
		return false
	}
	h := w.Header()
	h.Set("Retry-After", retryAfter(e.RetryAfter))
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	noStore(h)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(http.StatusText(status) + "\n"))
	return true
}

// challengeError returns the parameters of a Bearer challenge that say what is
// wrong. See RFC 6750 §3.
func challengeError(e *tokens.Error) string {
	s := `, error="` + string(e.Code) + `"`
	if d := describable(e.Description); d != "" {
		s += `, error_description="` + d + `"`
	}
	if e.Scope != "" {
		s += `, scope="` + quotable(e.Scope) + `"`
	}
	return s
}

// retryAfter writes a delay in whole seconds, at least one. See RFC 9110 §10.2.3.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

// describable drops what an error_description must not hold. See RFC 6749 §5.2.
func describable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

// quotable drops what would end or escape a quoted-string. See RFC 9110 §5.6.4.
func quotable(s string) string { return describable(s) }

// basicTried reports whether the client tried HTTP authentication, and so
// wants a challenge. See RFC 6749 §5.2 invalid_client.
func basicTried(r *http.Request) bool { return len(r.Header["Authorization"]) > 0 }

// noStore keeps an answer out of every cache. See RFC 6749 §5.1.
func noStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}

// writeJSON writes an answer that no cache keeps.
func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	b, err := json.Marshal(body)
	if err != nil { // no type that we write can fail
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	noStore(h)
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
