package tokens

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Revoke ends the family of a refresh token, whichever generation it is, or
// denies one access token. Garbage, unknown, expired and other clients' tokens
// are no error and change nothing. A client that is known by its document and has not shown its
// key is refused where it has to: the grant of the refresh token says so, and of an access token
// the document, as far as it is kept. See RFC 7009 §2.
func (i *Issuer) Revoke(ctx context.Context, c *clients.Client, token string) error {
	if t, secret, ok := parseRefreshToken(i.state.Secrets(), token); ok {
		i.noteSecret(ctx, secret)
		if t.client != c.Tag() {
			return nil
		}
		if grant, _, err := i.state.Grants.Look(ctx, t.grant); err != nil {
			return oauth.Unavailable(err)
		} else if grant.Keyed && !c.Confidential() {
			return withoutKey()
		}
		return i.EndGrant(ctx, t.user, t.family.ID(), c.ID)
	}
	claims, err := i.verifier.Verify(token)
	if err != nil || claims.ClientID != c.ID || !claims.HasTokenID {
		return nil //nolint:nilerr // an invalid token is as good as revoked (RFC 7009 §2.2)
	}
	if c.Origin == clients.Document && !c.Confidential() {
		c, err := i.clients.Resolve(ctx, c.ID)
		switch {
		case errors.Is(err, clients.ErrUnknown): // its host has taken the document back
		case err != nil:
			return err
		case c.Confidential():
			return withoutKey()
		}
	}
	isNew, err := i.state.DenyToken(ctx, claims.User, claims.TokenID, claims.Expiry.Add(oauth.DefaultLeeway))
	if isNew {
		i.observe(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeAccessToken, Client: c.ID, Subject: claims.Subject, User: claims.User})
	}
	return err
}

// withoutKey refuses a client that is known by its document and has to authenticate by a key, where
// that was not looked at before.
func withoutKey() error {
	return oauth.Refuse(oauth.InvalidClient, oauth.ReasonBadMethod, "The client is unknown or did not authenticate.")
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
