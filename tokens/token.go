package tokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// TokenRequest is a request to the token endpoint, of any grant type.
type TokenRequest struct {
	GrantType    oauth.GrantType
	Code         string
	RedirectURI  string
	CodeVerifier string
	RefreshToken string
	DeviceCode   string
	Scope        string
	Audiences    []string // `audience` and `resource`
	// Sender is what the client has proved to hold: the key of a DPoP proof, the
	// certificate of its connection. What that binds is for the core to say.
	Sender jose.Confirmation
}

// TokenResponse is a successful answer of the token endpoint. See RFC 6749 §5.1.
type TokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope"` // also when it is none of those asked for: RFC 6749 §5.1

	// Cookie replaces RefreshToken for clients that keep it in a cookie; nil
	// where there is none, or where the browser has it already.
	Cookie *RefreshCookie `json:"-"`
}

// Token answers a token request of an authenticated client.
// See RFC 6749 §4.1.3, §4.4.2 and §6, RFC 8628 §3.4.
func (i *Issuer) Token(ctx context.Context, c *clients.Client, r TokenRequest) (*TokenResponse, error) {
	res, err := i.dispatch(ctx, c, r)
	if err != nil {
		return nil, i.refused(ctx, c, r, err)
	}
	return res, nil
}

// refused reports why a token request gets no token.
func (i *Issuer) refused(ctx context.Context, c *clients.Client, r TokenRequest, err error) *oauth.Error {
	refusal := oauth.AsError(err)
	if refusal.Code == oauth.AuthorizationPending {
		return refusal // nothing has happened
	}
	e := oauth.Event{Kind: oauth.EventTokenRefused, Outcome: oauth.Outcome(refusal.Reason), Client: c.ID, Cause: refusal.Cause}
	switch r.GrantType {
	case oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode:
		e.GrantType = r.GrantType
	}
	i.observe(ctx, e)
	return refusal
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
	if !c.MayUse(r.GrantType) || c.Refresh.Cookie && r.GrantType == oauth.GrantRefreshToken {
		return nil, oauth.Refuse(oauth.UnauthorizedClient, oauth.ReasonUnsupportedGrant, "The client is not registered for this grant_type.")
	}
	if err := c.SenderFits(r.Sender); err != nil {
		return nil, err
	}
	return grant(ctx, c, r)
}
