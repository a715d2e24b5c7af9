package handler

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

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

// retryAfter writes a delay in whole seconds, at least one. See RFC 9110 §10.2.3.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

// malformed is the refusal of a request that cannot be read. The description
// goes to the client.
func malformed(description string) *tokens.Error {
	return &tokens.Error{Code: tokens.InvalidRequest, Reason: tokens.ReasonMalformed, Description: description}
}
