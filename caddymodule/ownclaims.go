package caddymodule

import (
	"slices"
	"strings"
)

// ownClaims are claims that nobody but this gateway says anything by; and those of an
// address, which come with what vouches for them. See RFC 7519 §4.1, RFC 9068 §2.2.
var ownClaims = []string{
	"acr", "act", "amr", "at_hash", "aud", "auth_time", "azp", "c_hash", "client_id", "cnf", "email", "email_verified", "events", "exp", "groups", "gty", "iat", "iss",
	"jti", "may_act", "nbf", "nonce", "s_hash", "scope", "sid", "sub", "token_use",
}

// ownPrefix begins the private claims of this gateway.
const ownPrefix = "gh_"

// ownClaim reports whether a claim is one of these.
func ownClaim(name string) bool {
	return slices.Contains(ownClaims, name) || strings.HasPrefix(name, ownPrefix)
}
