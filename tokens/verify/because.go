package verify

import (
	"errors"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
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
