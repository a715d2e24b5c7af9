package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Introspection is the answer of RFC 7662 §2.2. An inactive one holds nothing else.
type Introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	Expiry    int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`

	Bound *jose.Confirmation `json:"cnf,omitempty"` // RFC 9449 §6.2, RFC 8705 §3.2
}

// Introspect tells a confidential client about a token that was issued to it, and
// about tokens for the APIs that it is a resource server of. It asks the store, not a
// cache. A good token that is none of its business is inactive, and reported. See RFC
// 7662 §2 and §4.
func (i *Issuer) Introspect(ctx context.Context, c *clients.Client, token string) (*Introspection, error) {
	if !c.Confidential() || c.Unregistered() {
		return nil, i.auth.Refuse(ctx, c, oauth.ReasonBadMethod, nil)
	}
	if t, _, ok := parseRefreshToken(i.state.Secrets(), token); ok {
		return i.introspectRefresh(ctx, c, t)
	}
	claims, err := i.verifier.Verify(token)
	if err != nil {
		return &Introspection{}, nil //nolint:nilerr // inactive (RFC 7662 §2.2)
	}
	if claims.ClientID != c.ID && !slices.ContainsFunc(claims.Audience, c.MayIntrospect) {
		i.introspectionRefused(ctx, c, oauth.ReasonWrongAudience, fmt.Errorf("the token is for %q, and is not issued to the client: "+
			"where the client is a resource server of that API, write `serves` with its identifier in the client's block", claims.Audience))
		return &Introspection{}, nil
	}
	err = i.state.Denylist.CheckStore(ctx, &claims.Token)
	if err == nil {
		err = i.people.Check(ctx, claims)
	}
	if err != nil {
		if oauth.AsError(err).Code == oauth.InvalidToken {
			return &Introspection{}, nil
		}
		return nil, err
	}
	return &Introspection{
		Active:    true,
		Scope:     strings.Join(claims.Scope, " "),
		ClientID:  claims.ClientID,
		TokenType: claims.Binding().TokenType(),
		Bound:     claims.Confirmation,
		Subject:   claims.Subject,
		Audience:  claims.Audience,
		Issuer:    claims.Issuer,
		ID:        claims.ID,
		Expiry:    claims.Expiry.Unix(),
		IssuedAt:  claims.IssuedAt.Unix(),
	}, nil
}

// introspectionRefused reports why a client was told that a token is inactive which is not.
func (i *Issuer) introspectionRefused(ctx context.Context, c *clients.Client, reason oauth.Reason, cause error) {
	i.observe(ctx, oauth.Event{Kind: oauth.EventIntrospectionRefused, Outcome: oauth.Outcome(reason), Client: c.ID, Cause: cause})
}

// introspectRefresh tells a client about its own refresh token.
func (i *Issuer) introspectRefresh(ctx context.Context, c *clients.Client, t refreshToken) (*Introspection, error) {
	if t.client != c.Tag() {
		i.introspectionRefused(ctx, c, oauth.ReasonClientMismatch, errors.New("it is the refresh token of another client"))
		return &Introspection{}, nil
	}
	f, lives, err := i.state.Store.LiveFamily(ctx, t.user, t.family.ID())
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	watermark, err := i.state.Denylist.ClientWatermark(ctx, c.Tag())
	if err != nil {
		return nil, err
	}
	f = f.Limited(c.Refresh.Lifetime, c.Refresh.IdleLifetime)
	if !lives || f.Generation != t.generation || !f.Created.After(watermark) || f.Dead(i.cfg.Clock()) {
		return &Introspection{}, nil
	}
	return &Introspection{
		Active: true, ClientID: c.ID, TokenType: string(oauth.GrantRefreshToken), Bound: t.bound.Claim(), Expiry: unixOrZero(storage.Earlier(f.Expires, f.IdleExpires)),
	}, nil
}
