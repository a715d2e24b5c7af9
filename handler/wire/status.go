// Package wire reads and writes what the authorization server and the resource
// server have in common: access tokens in requests, DPoP proofs, client
// certificates, cookies, challenges, CORS, and the status of an error.
package wire

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// ErrMethod is a method that the endpoint does not serve; Allow is already set.
var ErrMethod = errors.New("serving request: method not allowed")

// ErrForbidden is a form that did not come from our own page in this browser.
var ErrForbidden = errors.New("serving form: not posted by our own page in this browser")

// StatusOf is the table from outcome to status.
func StatusOf(err error, e *oauth.Error) int {
	if errors.Is(err, ErrMethod) {
		return http.StatusMethodNotAllowed
	}
	if errors.Is(err, ErrForbidden) {
		return http.StatusForbidden
	}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, ErrSlowBody) {
		return http.StatusRequestTimeout
	}
	if e.Reason == oauth.ReasonPersonDenied { // which a device hears as RFC 6749 §5.2 has it
		return http.StatusBadRequest
	}
	switch e.Code {
	case oauth.InvalidClient, oauth.InvalidToken, oauth.InsufficientUserAuthentication:
		return http.StatusUnauthorized
	case oauth.InsufficientScope, oauth.AccessDenied:
		return http.StatusForbidden
	case oauth.TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	case oauth.TooManyRequests:
		return http.StatusTooManyRequests
	default:
		return http.StatusBadRequest
	}
}

// RefusalOf returns what err says in OAuth's terms. What is none of the core's
// and none of ours is a fault: TemporarilyUnavailable.
func RefusalOf(err error) *oauth.Error {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return Malformed("The body is larger than 64 KiB.")
	}
	switch {
	case errors.Is(err, ErrSlowBody):
		return Malformed("The body took too long to arrive.")
	case errors.Is(err, ErrMethod):
		return Malformed("This method is not allowed here.")
	case errors.Is(err, ErrForbidden):
		return &oauth.Error{Code: oauth.AccessDenied, Reason: oauth.ReasonMalformed}
	}
	return oauth.AsError(err)
}

// RetryAfter writes a delay in whole seconds, at least one. See RFC 9110 §10.2.3.
func RetryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

// Malformed is the refusal of a request that cannot be read. The description
// goes to the client.
func Malformed(description string) *oauth.Error {
	return &oauth.Error{Code: oauth.InvalidRequest, Reason: oauth.ReasonMalformed, Description: description}
}
