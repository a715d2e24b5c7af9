package verify

import (
	"errors"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// The typ of our tokens.
const (
	TypeAccessToken = "at+jwt" // RFC 9068 §2.1
	TypeJWT         = "JWT"    // of an ID token, and of an access token in Auth0's form
)

// UseAccess is the claim token_use of access tokens whose type is TypeJWT. No other
// token of this gateway has that claim, so none passes for an access token, and they
// pass for none. See RFC 8725 §3.12.
const UseAccess = "access"

// The refusals of a Verifier, made once: they are on the hot path. The public
// text is the same for all, so that nobody learns which check failed.
var (
	errWrongType    = oauth.BadToken(oauth.ReasonWrongType)
	errUnknownKey   = oauth.BadToken(oauth.ReasonUnknownKey)
	errBadSignature = oauth.BadToken(oauth.ReasonBadSignature)
	errWrongIssuer  = oauth.BadToken(oauth.ReasonWrongIssuer)
	errClaim        = oauth.BadToken(oauth.ReasonClaim)
	errExpired      = oauth.BadToken(oauth.ReasonExpired)
	errNotYetValid  = oauth.BadToken(oauth.ReasonNotYetValid)
)

// unreadable returns the refusal of a payload that cannot be read to its end: that it
// has too many members, or else another.
func unreadable(err error, otherwise *oauth.Error) error {
	if errors.Is(err, jose.ErrMembers) {
		return errMembers
	}
	return otherwise
}

// The refusals of what is larger than its issuer makes it.
var (
	errMembers  = because(oauth.ReasonTooLarge, errors.New("the payload has more than 256 members, or than max_token_members of its issuer says"))
	errTooLarge = because(oauth.ReasonTooLarge, errors.New("the token has more than 8192 bytes, or than max_token_size of its issuer says"))
)

// errNamesKey refuses a token of this gateway whose header is not one of ours.
var errNamesKey = because(oauth.ReasonTokenHeader, errors.New("the header brings or names a key (jwk, jku, x5u, x5c): keys are found by kid alone, among those of the issuer"))

// because returns a refusal with its cause, for the log.
func because(reason oauth.Reason, cause error) *oauth.Error {
	e := oauth.BadToken(reason)
	e.Cause = cause
	return e
}
