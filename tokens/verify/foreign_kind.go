package verify

import (
	"errors"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// The refusals of tokens whose type does not tell that they are no access tokens.
var (
	errOtherToken = because(oauth.ReasonWrongType, errors.New("it is a logout token, a DPoP proof or a refresh token"))
	errIDToken    = because(oauth.ReasonWrongType, errors.New("it looks like an ID token, by a nonce, an at_hash or the like: allow_id_tokens takes such"))
)

// otherToken finds the marks of tokens that nobody presents to an API, where the
// type does not tell. See RFC 8725 §3.12.
func otherToken(members map[string]any) bool {
	_, method := members["htm"]
	_, address := members["htu"]
	if method && address { // a DPoP proof (RFC 9449 §4.2)
		return true
	}
	if events, ok := members["events"].(map[string]any); ok && isEvents(events) {
		return true
	}
	switch members["typ"] { // of Keycloak
	case "Refresh", "Offline", "Logout":
		return true
	}
	return false
}

// isEvents reports whether an `events` claim is that of a security event, a logout
// token among them: an object whose members are named by URIs. See RFC 8417 §2.2.
func isEvents(events map[string]any) bool {
	for name := range events {
		if !strings.Contains(name, ":") {
			return false
		}
	}
	return true
}

// idToken finds the marks of ID tokens. Some issuers put them into access tokens: a
// nonce (authentik), at_hash (Dex). See OpenID Connect Core §2.
func idToken(members map[string]any) bool {
	if members["token_use"] == "id" { // of Cognito
		return true
	}
	switch members["typ"] { // of Keycloak
	case "ID":
		return true
	case "Bearer":
		return false
	}
	for _, mark := range []string{"nonce", "at_hash", "c_hash", "s_hash"} {
		if _, ok := members[mark].(string); ok {
			return true
		}
	}
	return false
}
