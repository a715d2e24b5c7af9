package oauth

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
	ScopeGroups        = "groups" // the claim groups, in ID tokens and userinfo
)

// ReservedScopes are the scopes that an API cannot define.
var ReservedScopes = []string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeOfflineAccess, ScopeGroups}

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

// ParseScope splits a scope parameter, drops repetitions and keeps the order.
// It is lenient about white space, of which clients send too much: any run of
// it separates, and it may lead or trail. It reports false for a scope that
// RFC 6749 §3.3 does not allow, and for more than 100 scopes. White space alone
// has no scopes.
func ParseScope(s string) ([]string, bool) {
	var scopes []string
	count := 0
	for part := range strings.FieldsFuncSeq(s, blank) {
		if count++; count > maxScopes {
			return nil, false
		}
		if !ValidScope(part) {
			return nil, false
		}
		if !slices.Contains(scopes, part) {
			scopes = append(scopes, part)
		}
	}
	return scopes, true
}

// blank reports whether a character separates scopes.
func blank(c rune) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// IsSubset reports whether every one of the wanted scopes is in have.
func IsSubset(wanted, have []string) bool {
	for _, s := range wanted {
		if !slices.Contains(have, s) {
			return false
		}
	}
	return true
}

// CommonScope returns the scopes of list that are in allowed, in list's order.
func CommonScope(list, allowed []string) []string {
	var out []string
	for _, s := range list {
		if slices.Contains(allowed, s) {
			out = append(out, s)
		}
	}
	return out
}
