package upstream

import (
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// The reasons of a login.FailedError: a closed set, for metrics.
const (
	reasonNoDiscovery   = "no_discovery"   // its metadata has not been had yet
	reasonNoKeys        = "no_keys"        // nor its keys
	reasonUnreachable   = "unreachable"    // an endpoint does not answer, or not as OAuth has it
	reasonBusy          = "busy"           // too many exchanges at once, or too many have met a provider in trouble
	reasonThrottled     = "throttled"      // the provider has said to ask again later
	reasonState         = "state"          // the state is another one
	reasonIssuer        = "issuer"         // the answer is another provider's
	reasonNoCode        = "no_code"        // nor an error, or several
	reasonError         = "error"          // the answer is an error
	reasonCode          = "code"           // the code is spent or too old
	reasonClient        = "client"         // this gateway is refused
	reasonRequest       = "request"        // what it asks is refused
	reasonGrant         = "grant"          // the refresh token is good no more
	reasonInteraction   = "interaction"    // the person has to go there first
	reasonIDToken       = "id_token"       // there is none, or it is of no good form
	reasonAlgorithm     = "algorithm"      // of its signature
	reasonSignature     = "signature"      // or its key is unknown
	reasonTokenIssuer   = "token_issuer"   // its iss
	reasonAudience      = "audience"       // its aud or azp
	reasonNonce         = "nonce"          // it was made for another departure
	reasonHash          = "at_hash"        // it was made for another access token
	reasonTime          = "time"           // its exp, nbf or iat
	reasonSubject       = "subject"        // it does not say who it is, or somebody else
	reasonUserinfo      = "userinfo"       // userinfo is needed and was not had, or is about somebody else
	reasonNotAllowed    = "not_allowed"    // an allow line does not hold
	reasonGroupsUnknown = "groups_unknown" // an allow line needs the groups, and they are not known
	reasonCannotAsk     = "cannot_ask"     // the provider cannot be asked for this
	reasonAuthTime      = "auth_time"      // the person has not proved it anew
	reasonACR           = "acr"            // not as was asked
	reasonTooLarge      = "too_large"      // the claims are
	reasonLogoutToken   = "logout_token"   // of a sign-out: it is of no good form
	reasonSettings      = "settings"       // a file of the configuration cannot be read
)

// failed makes a refusal.
func failed(f login.Failure, reason string, cause error) *login.FailedError {
	return &login.FailedError{Failure: f, Reason: reason, Cause: cause}
}

// forged refuses what is not an answer to this departure.
func forged(reason, format string, args ...any) *login.FailedError {
	return failed(login.FailedForged, reason, fmt.Errorf(format, args...))
}

// asFailed returns the refusal that an error is, or calls it trouble.
func asFailed(err error, reason string) *login.FailedError {
	if f, ok := errors.AsType[*login.FailedError](err); ok {
		return f
	}
	return failed(login.FailedDown, reason, err)
}
