package tokens

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Revoke ends the family of a refresh token, whichever generation it is, or
// denies one access token. Garbage, unknown, expired and other clients' tokens
// are no error and change nothing. See RFC 7009 §2.
func (i *Issuer) Revoke(ctx context.Context, c *Client, token string) error {
	if t, secret, ok := parseRefreshToken(i.state.secrets(), token); ok {
		i.noteSecret(ctx, secret)
		if t.client != c.tag {
			return nil
		}
		return i.EndGrant(ctx, t.user, t.family.ID(), c.ID)
	}
	claims, err := i.verifier.Verify(token)
	if err != nil || claims.ClientID != c.ID || !claims.HasTokenID {
		return nil //nolint:nilerr // an invalid token is as good as revoked (RFC 7009 §2.2)
	}
	isNew, err := i.denyToken(ctx, claims.User, claims.TokenID, claims.Expiry.Add(DefaultLeeway))
	if isNew {
		i.observe(ctx, Event{Kind: EventRevoked, Outcome: OutcomeAccessToken, Client: c.ID, Subject: claims.Subject, User: claims.User})
	}
	return err
}

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

	Bound *Confirmation `json:"cnf,omitempty"` // RFC 9449 §6.2, RFC 8705 §3.2
}

// Introspect tells a confidential client about a token that was issued to it,
// and a machine client, which is what a resource server is, about tokens for
// its APIs. It asks the store, not a cache. See RFC 7662 §2 and §4.
func (i *Issuer) Introspect(ctx context.Context, c *Client, token string) (*Introspection, error) {
	if !c.Confidential() {
		return nil, i.badClient(ctx, c, ReasonBadMethod, nil)
	}
	if t, _, ok := parseRefreshToken(i.state.secrets(), token); ok {
		return i.introspectRefresh(ctx, c, t)
	}
	claims, err := i.verifier.Verify(token)
	if err != nil {
		return &Introspection{}, nil //nolint:nilerr // inactive (RFC 7662 §2.2)
	}
	theirs := claims.ClientID == c.ID || c.Type == ClientMachine &&
		slices.ContainsFunc(claims.Audience, func(a string) bool { return slices.Contains(c.APIs, a) })
	if !theirs {
		return &Introspection{}, nil
	}
	if err := i.state.Denylist.CheckStore(ctx, claims); err != nil {
		if AsError(err).Code == InvalidToken {
			return &Introspection{}, nil
		}
		return nil, err
	}
	return &Introspection{
		Active:    true,
		Scope:     strings.Join(claims.Scope, " "),
		ClientID:  claims.ClientID,
		TokenType: claims.bound().tokenType(),
		Bound:     claims.Confirmation,
		Subject:   claims.Subject,
		Audience:  claims.Audience,
		Issuer:    claims.Issuer,
		ID:        claims.ID,
		Expiry:    claims.Expiry.Unix(),
		IssuedAt:  claims.IssuedAt.Unix(),
	}, nil
}

// introspectRefresh tells a client about its own refresh token.
func (i *Issuer) introspectRefresh(ctx context.Context, c *Client, t refreshToken) (*Introspection, error) {
	if t.client != c.tag {
		return &Introspection{}, nil
	}
	f, lives, err := i.state.Store.LiveFamily(ctx, t.user, t.family.ID())
	if err != nil {
		return nil, unavailable(err)
	}
	watermark, err := i.state.Denylist.ClientWatermark(ctx, c.tag)
	if err != nil {
		return nil, err
	}
	f = f.Limited(c.Refresh.Lifetime, c.Refresh.IdleLifetime)
	if !lives || f.Generation != t.generation || !f.Created.After(watermark) || f.Dead(i.cfg.Clock()) {
		return &Introspection{}, nil
	}
	return &Introspection{
		Active: true, ClientID: c.ID, TokenType: string(GrantRefreshToken), Bound: t.bound.claim(), Expiry: unixOrZero(earlier(f.Expires, f.IdleExpires)),
	}, nil
}

// timeOrZero reads what unixOrZero wrote.
func timeOrZero(seconds int64) (t time.Time) {
	if seconds != 0 {
		t = time.Unix(seconds, 0)
	}
	return t
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
