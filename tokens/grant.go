package tokens

import "context"

// TokenRequest is a request to the token endpoint, of any grant type.
type TokenRequest struct {
	GrantType    GrantType
	Code         string
	RedirectURI  string
	CodeVerifier string
	RefreshToken string
	DeviceCode   string
	Scope        string
	Audiences    []string // `audience` and `resource`
	// Sender is what the client has proved to hold: the key of a DPoP proof, the
	// certificate of its connection. What that binds is for the core to say.
	Sender Confirmation
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
func (i *Issuer) Token(ctx context.Context, c *Client, r TokenRequest) (*TokenResponse, error) {
	res, err := i.dispatch(ctx, c, r)
	if err != nil {
		return nil, i.refused(ctx, c, r, err)
	}
	return res, nil
}

// refused tells why a token request gets no token.
func (i *Issuer) refused(ctx context.Context, c *Client, r TokenRequest, err error) *Error {
	refusal := AsError(err)
	if refusal.Code == AuthorizationPending {
		return refusal // nothing has happened
	}
	e := Event{Kind: EventTokenRefused, Outcome: Outcome(refusal.Reason), Client: c.ID, Cause: refusal.Cause}
	switch r.GrantType {
	case GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials, GrantDeviceCode:
		e.GrantType = r.GrantType
	}
	i.observe(ctx, e)
	return refusal
}

func (i *Issuer) dispatch(ctx context.Context, c *Client, r TokenRequest) (*TokenResponse, error) {
	var grant func(context.Context, *Client, TokenRequest) (*TokenResponse, error)
	switch r.GrantType {
	case "":
		return nil, invalidRequest("grant_type is missing.")
	case GrantAuthorizationCode:
		grant = i.exchangeCode
	case GrantRefreshToken:
		grant = i.refresh
	case GrantClientCredentials:
		grant = i.clientCredentials
	case GrantDeviceCode:
		grant = i.exchangeDeviceCode
	default:
		return nil, refuse(UnsupportedGrantType, ReasonUnsupportedGrant, "This grant_type is not supported.")
	}
	if !c.MayUse(r.GrantType) || c.Refresh.Cookie && r.GrantType == GrantRefreshToken {
		return nil, refuse(UnauthorizedClient, ReasonUnsupportedGrant, "The client is not registered for this grant_type.")
	}
	if err := c.senderFits(r.Sender); err != nil {
		return nil, err
	}
	return grant(ctx, c, r)
}
