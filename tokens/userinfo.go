package tokens

import (
	"context"
	"slices"
)

// UserInfo returns the claims about the subject that the token's scopes allow.
// Any access token of ours with scope openid will do, whatever its audience.
// See OpenID Connect Core §5.3.
func (i *Issuer) UserInfo(ctx context.Context, c *Claims) (map[string]any, error) {
	if !slices.Contains(c.Scope, ScopeOpenID) {
		return nil, &Error{
			Code: InsufficientScope, Reason: ReasonScope, Scope: ScopeOpenID,
			Description: "The access token lacks scope openid.",
		}
	}
	text, err := i.state.Store.Profile(ctx, c.User)
	if err != nil {
		return nil, unavailable(err)
	}
	if text == nil {
		return nil, badToken(ReasonUnknown)
	}
	profile, err := parseProfile(text)
	if err != nil {
		return nil, unavailable(err)
	}
	if profile.Subject != c.Subject || profile.Fingerprint != i.cfg.Accounts.Fingerprint(c.User) {
		return nil, badToken(ReasonUserChanged)
	}
	out := profile.claimsFor(c.Scope)
	out["sub"] = profile.Subject
	return out, nil
}
