// Package oauth is the vocabulary of the protocol, which all packages above it
// share: the typed Error and its reasons, scopes, redirect URIs, the bounds of
// parameters, and the events that an Observer hears. It decides nothing about a
// grant or a token, and knows no HTTP.
//
// Begin reading at Error. See RFC 6749.
package oauth

import (
	"errors"
	"fmt"
	"time"
)

// ErrorCode is the value of the `error` parameter of an OAuth answer.
// See RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 8707 §2, OpenID Connect Core §3.1.2.6.
type ErrorCode string

// The codes Gatehouse answers with.
const (
	InvalidRequest          ErrorCode = "invalid_request"
	InvalidClient           ErrorCode = "invalid_client"
	InvalidGrant            ErrorCode = "invalid_grant"
	UnauthorizedClient      ErrorCode = "unauthorized_client"
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"
	UnsupportedResponseType ErrorCode = "unsupported_response_type"
	InvalidScope            ErrorCode = "invalid_scope"
	InvalidTarget           ErrorCode = "invalid_target"
	InvalidRedirectURI      ErrorCode = "invalid_redirect_uri" // RFC 7591 §3.2.2, as the next
	InvalidClientMetadata   ErrorCode = "invalid_client_metadata"
	AccessDenied            ErrorCode = "access_denied"
	LoginRequired           ErrorCode = "login_required"
	ConsentRequired         ErrorCode = "consent_required"
	RequestNotSupported     ErrorCode = "request_not_supported"
	RequestURINotSupported  ErrorCode = "request_uri_not_supported"
	RegistrationUnsupported ErrorCode = "registration_not_supported"
	AuthorizationPending    ErrorCode = "authorization_pending" // RFC 8628 §3.5, as the next two
	SlowDown                ErrorCode = "slow_down"
	ExpiredToken            ErrorCode = "expired_token"
	InvalidToken            ErrorCode = "invalid_token"
	InsufficientScope       ErrorCode = "insufficient_scope"
	// UnmetAuthentication says that the person could not prove who they are as it
	// was asked. See OpenID Connect Core Error Code unmet_authentication_requirements §2.
	UnmetAuthentication ErrorCode = "unmet_authentication_requirements"
	// InsufficientUserAuthentication asks for a login that is stronger or more
	// recent. See RFC 9470 §3.
	InsufficientUserAuthentication ErrorCode = "insufficient_user_authentication"
	// InvalidDPoPProof refuses a DPoP proof, or that there is none. See RFC 9449 §5 and §7.1.
	InvalidDPoPProof ErrorCode = "invalid_dpop_proof"
	// UseDPoPNonce asks for a proof with the nonce of the header DPoP-Nonce. See RFC 9449 §8.
	UseDPoPNonce ErrorCode = "use_dpop_nonce"
	// TemporarilyUnavailable means that the store cannot be asked. It is
	// answered with 503, Retry-After and text/plain, never as OAuth JSON:
	// SDKs throw their refresh token away on any JSON error.
	TemporarilyUnavailable ErrorCode = "temporarily_unavailable"
	// TooManyRequests is answered with 429, Retry-After and text/plain.
	TooManyRequests ErrorCode = "too_many_requests"
)

// Error is a refusal. Code and Description are safe for the wire; Reason is
// for metrics, Cause for the log. Only handler/errors.go and handler/guard turn
// an Error into an HTTP answer.
type Error struct {
	Code        ErrorCode
	Description string        // public; ASCII without quote and backslash (RFC 6749 §5.2)
	Reason      Reason        // private; a closed set
	Cause       error         // private; never holds a secret, code or token
	Scope       string        // the scope needed, with InsufficientScope (RFC 6750 §3.1)
	RetryAfter  time.Duration // with TemporarilyUnavailable and TooManyRequests
	Mismatch    *Mismatch     // private; nil where none is known
}

// Error names the code, the reason and the cause. It is for logs, not for the wire.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Reason != "" {
		s += " (" + string(e.Reason) + ")"
	}
	if e.Cause != nil {
		return s + ": " + e.Cause.Error()
	}
	if e.Description != "" {
		return s + ": " + e.Description
	}
	return s
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError finds the *Error in err's chain. An err that has none is a fault of
// ours or of the store: it is wrapped as TemporarilyUnavailable, which fails
// closed and tells the client to come back.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Unavailable(err)
}

// IsReason reports whether err is a refusal for this reason.
func IsReason(err error, reason Reason) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reason == reason
}

// Reason says why, for metrics, events and logs: one of the constants below.
type Reason string

// The reasons. Every value is a metric label, so the set is closed.
const (
	ReasonMalformed        Reason = "malformed"
	ReasonUnknownClient    Reason = "unknown_client"
	ReasonBadSecret        Reason = "bad_secret"
	ReasonBadMethod        Reason = "bad_auth_method"
	ReasonBadAssertion     Reason = "bad_assertion"
	ReasonReplayed         Reason = "assertion_replayed"
	ReasonBadRedirect      Reason = "bad_redirect_uri"
	ReasonBadOrigin        Reason = "bad_origin"
	ReasonBadVerifier      Reason = "bad_code_verifier"
	ReasonCodeUnknown      Reason = "code_unknown"
	ReasonCodeSpent        Reason = "code_spent"
	ReasonCodeMismatch     Reason = "code_mismatch"
	ReasonClientMismatch   Reason = "client_mismatch"
	ReasonBadMAC           Reason = "bad_mac"
	ReasonReuse            Reason = "reuse"
	ReasonExpired          Reason = "expired"
	ReasonUnknown          Reason = "unknown"
	ReasonRevoked          Reason = "revoked"
	ReasonUserChanged      Reason = "user_changed"
	ReasonProviderOverdue  Reason = "provider_overdue"
	ReasonNotAllowed       Reason = "not_allowed"
	ReasonOfflineOff       Reason = "offline_access_off"
	ReasonGrantUnknown     Reason = "grant_unknown"
	ReasonStore            Reason = "store"
	ReasonBadSignature     Reason = "bad_signature"
	ReasonUnknownKey       Reason = "unknown_key"
	ReasonWrongIssuer      Reason = "wrong_issuer"
	ReasonWrongAudience    Reason = "wrong_audience"
	ReasonWrongType        Reason = "wrong_type"
	ReasonNotYetValid      Reason = "not_yet_valid"
	ReasonDenied           Reason = "denied"
	ReasonScope            Reason = "scope"
	ReasonClaim            Reason = "claim"
	ReasonRateLimited      Reason = "rate_limited"
	ReasonUnsupportedGrant Reason = "unsupported_grant"
	ReasonIssuerKeys       Reason = "issuer_keys"
	ReasonStepUp           Reason = "step_up"
	ReasonUserDisabled     Reason = "user_disabled"
	ReasonPending          Reason = "pending"
	ReasonTooFast          Reason = "too_fast"
	ReasonPersonDenied     Reason = "person_denied"
	ReasonProof            Reason = "dpop_proof"
	ReasonProofMissing     Reason = "dpop_missing"
	ReasonProofReplayed    Reason = "dpop_replayed"
	ReasonProofNonce       Reason = "dpop_nonce"
	ReasonBinding          Reason = "binding"
	ReasonBadCertificate   Reason = "bad_certificate"
	ReasonNoPKCE           Reason = "no_pkce"
	ReasonNoToken          Reason = "no_token"
	ReasonTokenHeader      Reason = "token_header"
	ReasonTooLarge         Reason = "too_large"
	ReasonBlocked          Reason = "blocked"
	ReasonClientDocument   Reason = "client_document"
)

// Refuse returns an error whose description is safe for the wire. The reason goes to
// metrics, events and logs alone.
func Refuse(code ErrorCode, reason Reason, description string) *Error {
	return &Error{Code: code, Reason: reason, Description: description}
}

// BadRequest returns InvalidRequest for a malformed request. The formatted
// description goes on the wire: it must name parameters and bounds, not values.
func BadRequest(format string, args ...any) *Error {
	return Refuse(InvalidRequest, ReasonMalformed, fmt.Sprintf(format, args...))
}

// Unavailable returns TemporarilyUnavailable for a store failure, whose cause goes to
// the log alone, and asks the client to come again after two seconds.
func Unavailable(cause error) *Error {
	return &Error{
		Code:        TemporarilyUnavailable,
		Reason:      ReasonStore,
		Description: "The service is temporarily unavailable. Try again shortly.",
		Cause:       cause,
		RetryAfter:  2 * time.Second,
	}
}

// BadToken returns InvalidToken. Its description is the same for every reason, so that
// nobody learns which check failed. See RFC 6750 §3.1.
func BadToken(reason Reason) *Error {
	return Refuse(InvalidToken, reason, "The access token is invalid or has expired.")
}
