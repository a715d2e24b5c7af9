package guard

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// ClaimRule demands that a claim is one of the values, or a list that holds one
// of them. A rule on `sub` means verify.Claims.Identity unless there is one on `iss`; an
// `email` counts only where it is verified.
type ClaimRule struct {
	Claim  string
	Values []string
}

// passes reports whether the claims are what the rule wants. The sub of another
// issuer is compared as verify.Claims.Identity, unless a rule on iss stands
// beside it: its issuer gives out any sub that it likes.
func (rule *ClaimRule) passes(c *verify.Claims, anySub bool) bool {
	if rule.Claim == "sub" && anySub {
		return rule.acceptsOne(c.Identity())
	}
	v, ok := identity.Lookup(c, rule.Claim)
	return ok && rule.accepts(v)
}

// mismatch says what a token has in the place of what the rule wants.
func (rule *ClaimRule) mismatch(c *verify.Claims) oauth.Mismatch {
	m := oauth.Mismatch{Registered: rule.Values, Option: "claim " + rule.Claim}
	if value, ok := identity.Lookup(c, rule.Claim); ok {
		m.Sent, _ = identity.ScalarText(value)
	}
	return m
}

// accepts reports whether a claim's value is what the rule wants.
func (rule ClaimRule) accepts(value any) bool {
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, rule.acceptsOne)
	}
	return rule.acceptsOne(value)
}

func (rule ClaimRule) acceptsOne(value any) bool {
	text, ok := identity.ScalarText(value)
	return ok && slices.Contains(rule.Values, text)
}
