package guard

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// The refusals of the rules. They are shared: nothing changes them.
var (
	errAudience = &oauth.Error{Code: oauth.InvalidToken, Reason: oauth.ReasonWrongAudience, Description: "The access token is not for this API."}
	errNotFor   = &oauth.Error{Code: oauth.AccessDenied, Reason: oauth.ReasonNotAllowed, Description: "The person is in none of the groups that this route is for."}
	// errRuleForGood is errRule for clients that send people to sign in whenever a token is not
	// good, which would not help.
	errRuleForGood = &oauth.Error{Code: oauth.AccessDenied, Reason: oauth.ReasonClaim, Description: "The person may not use this."}
	errRule        = &oauth.Error{Code: oauth.InvalidToken, Reason: oauth.ReasonClaim, Description: "The access token does not allow this."}
)

// checkRules applies what this guard wants to claims that are verified. It
// runs on every request, whether the verification was cached or not.
func (g *Guard) checkRules(c *verify.Claims) error {
	audience := g.cfg.Audience
	if own, ok := g.cfg.Audiences[c.Issuer]; ok {
		audience = own
	}
	if !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(c.Audience, a) }) {
		return errAudience.With(oauth.Mismatch{Sent: strings.Join(c.Audience, " "), Registered: audience, Option: "audience"})
	}
	for i := range g.cfg.Claims {
		if !g.cfg.Claims[i].passes(c, g.anySub) {
			if g.cfg.MCP {
				return errRuleForGood.With(g.cfg.Claims[i].mismatch(c))
			}
			return errRule.With(g.cfg.Claims[i].mismatch(c))
		}
	}
	// Ahead of the scopes: who is not in the group gains nothing by a login for more of them.
	if missing := g.cfg.For.Missing(c.Groups); missing != nil {
		return errNotFor.With(oauth.Mismatch{Sent: strings.Join(c.Groups, " "), Registered: missing, Option: "for"})
	}
	for _, scope := range g.cfg.Scopes {
		if !slices.Contains(c.Scope, scope) {
			return g.insufficientScope(c)
		}
	}
	if len(g.cfg.ScopeAny) > 0 && !slices.ContainsFunc(g.cfg.ScopeAny, func(s string) bool { return slices.Contains(c.Scope, s) }) {
		return g.insufficientScope(c)
	}
	return g.cfg.StepUp.check(c)
}

func (g *Guard) insufficientScope(c *verify.Claims) error {
	return &oauth.Error{
		Code: oauth.InsufficientScope, Reason: oauth.ReasonScope, Scope: g.scope,
		Description: "The access token lacks a scope that this request needs.",
		Mismatch:    &oauth.Mismatch{Sent: strings.Join(c.Scope, " "), Registered: slices.Concat(g.cfg.Scopes, g.cfg.ScopeAny), Option: g.scopeOption()},
	}
}

func (g *Guard) scopeOption() string {
	if len(g.cfg.Scopes) == 0 {
		return "scope_any"
	}
	return "scope"
}
