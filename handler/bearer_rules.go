package handler

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// ClaimRule demands that a claim is one of the values, or a list that holds one
// of them. A rule on `sub` means tokens.Claims.Identity unless there is one on `iss`.
type ClaimRule struct {
	Claim  string
	Values []string
}

// The refusals of the rules. They are shared: nothing changes them.
var (
	errAudience = &tokens.Error{Code: tokens.InvalidToken, Reason: tokens.ReasonWrongAudience, Description: "The access token is not for this API."}
	errRule     = &tokens.Error{Code: tokens.InvalidToken, Reason: tokens.ReasonClaim, Description: "The access token does not allow this."}
)

// checkRules applies what this guard wants to claims that are verified. It
// runs on every request, whether the verification was cached or not.
func (g *Guard) checkRules(c *tokens.Claims) error {
	audience := g.cfg.Audience
	if own, ok := g.cfg.Audiences[c.Issuer]; ok {
		audience = own
	}
	if !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(c.Audience, a) }) {
		return errAudience
	}
	for i := range g.cfg.Claims {
		if !g.cfg.Claims[i].passes(c, g.anySub) {
			return errRule
		}
	}
	for _, scope := range g.cfg.Scopes {
		if !slices.Contains(c.Scope, scope) {
			return g.insufficientScope()
		}
	}
	if len(g.cfg.ScopeAny) > 0 && !slices.ContainsFunc(g.cfg.ScopeAny, func(s string) bool { return slices.Contains(c.Scope, s) }) {
		return g.insufficientScope()
	}
	return g.cfg.StepUp.check(c)
}

func (g *Guard) insufficientScope() error {
	return &tokens.Error{
		Code: tokens.InsufficientScope, Reason: tokens.ReasonScope, Scope: g.scope,
		Description: "The access token lacks a scope that this request needs.",
	}
}

// passes reports whether the claims are what the rule wants. The sub of another
// issuer is compared as tokens.Claims.Identity, unless a rule on iss stands
// beside it: its issuer gives out any sub that it likes.
func (rule *ClaimRule) passes(c *tokens.Claims, anySub bool) bool {
	if rule.Claim == "sub" && anySub {
		return rule.acceptsOne(c.Identity())
	}
	v, ok := c.Lookup(rule.Claim)
	return ok && rule.accepts(v)
}

// accepts reports whether a claim's value is what the rule wants.
func (rule ClaimRule) accepts(value any) bool {
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, rule.acceptsOne)
	}
	return rule.acceptsOne(value)
}

func (rule ClaimRule) acceptsOne(value any) bool {
	text, ok := scalarText(value)
	return ok && slices.Contains(rule.Values, text)
}
