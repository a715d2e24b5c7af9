package tokens

import (
	"context"
	"time"

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

// refused reports why a token request gets no token.
func (i *Issuer) refused(ctx context.Context, c *clients.Client, r TokenRequest, err error) *oauth.Error {
	refusal := oauth.AsError(err)
	if refusal.Code == oauth.AuthorizationPending || isGone(refusal) {
		return refusal // nothing has happened
	}
	e := oauth.Event{Kind: oauth.EventTokenRefused, Outcome: oauth.Outcome(refusal.Reason), Client: c.ID, Mismatch: refusal.Mismatch, Cause: refusal.Why()}
	switch r.GrantType {
	case oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode:
		e.GrantType = r.GrantType
	}
	i.observe(ctx, e)
	return refusal
}

// RefreshCookie is a refresh token that a browser keeps in a cookie, where no
// script reads it.
type RefreshCookie struct {
	Value   string
	Expires time.Time // the token's end unless it is used before; zero for none
}
