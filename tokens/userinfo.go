package tokens

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// UserInfo returns the claims about the subject that the token's scopes allow.
// Any access token of ours with scope openid will do, whatever its audience.
// See OpenID Connect Core §5.3.
func (i *Issuer) UserInfo(ctx context.Context, c *verify.Claims) (map[string]any, error) {
	if !slices.Contains(c.Scope, oauth.ScopeOpenID) {
		return nil, &oauth.Error{
			Code: oauth.InsufficientScope, Reason: oauth.ReasonScope, Scope: oauth.ScopeOpenID,
			Description: "The access token lacks scope openid.",
		}
	}
	record, err := i.state.Store.Profile(ctx, c.User)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if record.Subject == "" {
		return nil, oauth.BadToken(oauth.ReasonUnknown)
	}
	profile, err := parseProfile(record)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if profile.Subject != c.Subject || !i.fits(c.User, profile) {
		return nil, oauth.BadToken(oauth.ReasonUserChanged)
	}
	out := profile.claimsFor(c.Scope)
	i.addGroups(out, profile, c.Scope)
	out["sub"] = profile.Subject
	return out, nil
}
