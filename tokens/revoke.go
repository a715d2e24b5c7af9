package tokens

import (
	"context"
)

// Revoke ends the family of a refresh token, whichever generation it is, or
// denies one access token. Garbage, unknown, expired and other clients' tokens
// are no error and change nothing. See RFC 7009 §2.
func (i *Issuer) Revoke(ctx context.Context, c *Client, token string) error {
	if t, secret, ok := parseRefreshToken(i.state.secrets(), token); ok {
		i.noteSecret(ctx, secret)
		if t.client != c.Tag() {
			return nil
		}
		return i.EndGrant(ctx, t.user, t.family.ID(), c.ID)
	}
	claims, err := i.verifier.Verify(token)
	if err != nil || claims.ClientID != c.ID || !claims.HasTokenID {
		return nil //nolint:nilerr // an invalid token is as good as revoked (RFC 7009 §2.2)
	}
	isNew, err := i.state.DenyToken(ctx, claims.User, claims.TokenID, claims.Expiry.Add(DefaultLeeway))
	if isNew {
		i.observe(ctx, Event{Kind: EventRevoked, Outcome: OutcomeAccessToken, Client: c.ID, Subject: claims.Subject, User: claims.User})
	}
	return err
}

// EndGrant ends one family of a user and denies its access tokens. by says who
// ends it: a client_id, or "" for the operator.
func (i *Issuer) EndGrant(ctx context.Context, user UserTag, id FamilyID, by string) error {
	who := EndedByOperator
	if by != "" {
		who = EndedByClient
	}
	return i.endGrant(ctx, user, id, by, who)
}

func (i *Issuer) endGrant(ctx context.Context, user UserTag, id FamilyID, client, who string) error {
	res, err := i.state.End(ctx, EndRequest{User: user, Scope: EndFamily, Family: id}, who)
	if err == nil && res.New {
		i.observe(ctx, Event{Kind: EventRevoked, Outcome: "refresh_token", Client: client, User: user, Family: id})
	}
	return err
}
