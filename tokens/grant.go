package tokens

import (
	"context"
	"fmt"
)

// AuthMethod is how a client authenticated. See RFC 6749 §2.3.1 and OpenID Connect Core §9.
type AuthMethod string

// The methods that Gatehouse takes.
const (
	AuthNone  AuthMethod = "none"
	AuthBasic AuthMethod = "client_secret_basic"
	AuthPost  AuthMethod = "client_secret_post"
)

// Credentials are what a request says about its client.
type Credentials struct {
	ClientID string
	Secret   string
	Method   AuthMethod
}

// AuthenticateClient finds the client and checks its secret. Every failure is
// InvalidClient, alike in body and time. A public client sends no secret, a
// confidential one must. See RFC 6749 §2.3 and §3.2.1.
func (i *Issuer) AuthenticateClient(ctx context.Context, cr Credentials) (*Client, error) {
	c, known := i.Client(cr.ClientID)
	reason := Reason("")
	switch {
	case !known:
		reason = ReasonUnknownClient
	case c.Confidential() != (cr.Method != AuthNone):
		reason = ReasonBadMethod
	case !c.Confidential():
		return c, nil
	}
	if reason != "" {
		if cr.Method == AuthNone { // nothing was shown that could be compared
			return nil, i.badClient(ctx, c, reason)
		}
		if err := i.secrets.delay(ctx, cr.Secret, 0); err != nil {
			return nil, unavailable(err)
		}
		return nil, i.badClient(ctx, c, reason)
	}
	ok, err := i.secrets.check(ctx, c.SecretHashes, cr.Secret)
	if err != nil {
		return nil, unavailable(fmt.Errorf("checking client secret: %w", err))
	}
	if !ok {
		return nil, i.badClient(ctx, c, ReasonBadSecret)
	}
	return c, nil
}

// badClient is the one answer for every client that did not authenticate.
func (i *Issuer) badClient(ctx context.Context, c *Client, reason Reason) error {
	e := Event{Kind: EventClientAuth, Outcome: string(reason)}
	if c != nil {
		e.Client = c.ID
	}
	i.observe(ctx, e)
	return refuse(InvalidClient, reason, "The client is unknown or did not authenticate.")
}

// TokenRequest is a request to the token endpoint, of any grant type.
type TokenRequest struct {
	GrantType    GrantType
	Code         string
	RedirectURI  string
	CodeVerifier string
	RefreshToken string
	Scope        string
	Audiences    []string // `audience` and `resource`
}

// TokenResponse is a successful answer of the token endpoint. See RFC 6749 §5.1.
type TokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// Token answers a token request of an authenticated client.
// See RFC 6749 §4.1.3, §4.4.2 and §6.
func (i *Issuer) Token(ctx context.Context, c *Client, r TokenRequest) (*TokenResponse, error) {
	res, err := i.dispatch(ctx, c, r)
	if err == nil {
		return res, nil
	}
	refusal := AsError(err)
	e := Event{Kind: EventTokenRefused, Outcome: string(refusal.Reason), Client: c.ID, Cause: refusal.Cause}
	switch r.GrantType {
	case GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials:
		e.GrantType = r.GrantType
	}
	i.observe(ctx, e)
	return nil, refusal
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
	default:
		return nil, refuse(UnsupportedGrantType, ReasonUnsupportedGrant, "This grant_type is not supported.")
	}
	if !c.MayUse(r.GrantType) {
		return nil, refuse(UnauthorizedClient, ReasonUnsupportedGrant, "The client is not registered for this grant_type.")
	}
	return grant(ctx, c, r)
}
