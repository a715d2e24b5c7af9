package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// userPrefix is where Caddy's own authentication puts what it knows about a person.
const userPrefix = "http.auth.user."

// setUser makes the claims available as placeholders, and those that the token
// lacks empty; claims are nil where there is no token. An `email` that is not verified
// is empty, too. They are looked up when they are used: most routes use none. Their text is final: Caddy does not look
// for placeholders in the value of a placeholder.
func setUser(r *http.Request, claims *verify.Claims) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Map(func(key string) (any, bool) {
		name, ok := strings.CutPrefix(key, userPrefix)
		switch {
		case !ok:
			return nil, false
		case claims == nil:
			return "", true
		case name == "id":
			return claims.Identity(), true
		}
		value, _ := identity.Lookup(claims, name)
		return claimText(value), true
	})
}

// claimText writes a claim as the value of a placeholder.
func claimText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = strings.ReplaceAll(claimText(part), ",", "%2C") // else one would look like two
		}
		return strings.Join(parts, ",")
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
