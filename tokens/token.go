package tokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
)

// Token answers a token request of an authenticated client.
// See RFC 6749 §4.1.3, §4.4.2 and §6, RFC 8628 §3.4.
func (i *Issuer) Token(ctx context.Context, c *clients.Client, r TokenRequest) (*TokenResponse, error) {
	res, err := i.dispatch(ctx, c, r)
	if err != nil {
		return nil, i.refused(ctx, c, r, err)
	}
	return res, nil
}

func (i *Issuer) dispatch(ctx context.Context, c *clients.Client, r TokenRequest) (*TokenResponse, error) {
	var grant func(context.Context, *clients.Client, TokenRequest) (*TokenResponse, error)
	switch r.GrantType {
	case "":
		return nil, oauth.BadRequest("grant_type is missing.")
	case oauth.GrantAuthorizationCode:
		grant = i.exchangeCode
	case oauth.GrantRefreshToken:
		grant = i.refresh
	case oauth.GrantClientCredentials:
		grant = i.clientCredentials
	case oauth.GrantDeviceCode:
		grant = i.exchangeDeviceCode
	default:
		return nil, oauth.Refuse(oauth.UnsupportedGrantType, oauth.ReasonUnsupportedGrant, "This grant_type is not supported.")
	}
	spans.Note(ctx, spans.Grant, r.GrantType)
	if !c.MayUse(r.GrantType) || c.Refresh.Cookie && r.GrantType == oauth.GrantRefreshToken {
		return nil, oauth.Refuse(oauth.UnauthorizedClient, oauth.ReasonUnsupportedGrant, "The client is not registered for this grant_type.")
	}
	if err := c.SenderFits(r.Sender); err != nil {
		return nil, err
	}
	return grant(ctx, c, r)
}
