package tokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Revoke ends the family of a refresh token, whichever generation it is, or
// denies one access token. Garbage, unknown, expired and other clients' tokens
// are no error and change nothing. See RFC 7009 §2.
func (i *Issuer) Revoke(ctx context.Context, c *clients.Client, token string) error {
	if t, secret, ok := parseRefreshToken(i.state.Secrets(), token); ok {
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
	isNew, err := i.state.DenyToken(ctx, claims.User, claims.TokenID, claims.Expiry.Add(oauth.DefaultLeeway))
	if isNew {
		i.observe(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeAccessToken, Client: c.ID, Subject: claims.Subject, User: claims.User})
	}
	return err
}

// EndGrant ends one family of a user and denies its access tokens. by says who
// ends it: a client_id, or "" for the operator.
func (i *Issuer) EndGrant(ctx context.Context, user storage.UserTag, id storage.FamilyID, by string) error {
	who := history.EndedByOperator
	if by != "" {
		who = history.EndedByClient
	}
	return i.endGrant(ctx, user, id, by, who)
}

func (i *Issuer) endGrant(ctx context.Context, user storage.UserTag, id storage.FamilyID, client, who string) error {
	res, err := i.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndFamily, Family: id}, who)
	if err == nil && res.New {
		i.observe(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: "refresh_token", Client: client, User: user, Family: id})
	}
	return err
}
