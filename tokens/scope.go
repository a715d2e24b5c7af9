package tokens

import (
	"slices"
	"strings"
)

// The scopes that belong to the gateway itself and not to an API.
// See OpenID Connect Core §5.4 and §11.
const (
	ScopeOpenID        = "openid"
	ScopeProfile       = "profile"
	ScopeEmail         = "email"
	ScopeOfflineAccess = "offline_access"
)

// ReservedScopes are the scopes that an API cannot define.
var ReservedScopes = []string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeOfflineAccess}

// ValidScope reports whether s is one scope-token. See RFC 6749 §3.3.
func ValidScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// maxScopes bounds the scopes of one request. A configuration has few, and
// looking each one up must not cost a stranger's request more than it is worth.
const maxScopes = 100

// ParseScope splits a scope parameter at single spaces, drops repetitions and
// keeps the order. It reports false for anything else than RFC 6749 §3.3
// allows, and for more than 100 scopes. The empty string has no scopes.
func ParseScope(s string) ([]string, bool) {
	if s == "" {
		return nil, true
	}
	if strings.Count(s, " ") >= maxScopes {
		return nil, false
	}
	var scopes []string
	for part := range strings.SplitSeq(s, " ") {
		if !ValidScope(part) {
			return nil, false
		}
		if !slices.Contains(scopes, part) {
			scopes = append(scopes, part)
		}
	}
	return scopes, true
}

// subset reports whether every one of the wanted scopes is in have.
func subset(wanted, have []string) bool {
	for _, s := range wanted {
		if !slices.Contains(have, s) {
			return false
		}
	}
	return true
}

// common returns the scopes of list that are in allowed, in list's order.
func common(list, allowed []string) []string {
	var out []string
	for _, s := range list {
		if slices.Contains(allowed, s) {
			out = append(out, s)
		}
	}
	return out
}
