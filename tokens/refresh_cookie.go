package tokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// RefreshByCookie is the refresh token grant for a client whose browser keeps
// the token in a cookie: r.RefreshToken is the cookie's value. All tabs of the
// browser share it, so a generation younger than the leeway is answered
// without rotating. Errors are those of Token. See RFC 6749 §6.
func (i *Issuer) RefreshByCookie(ctx context.Context, c *clients.Client, r TokenRequest) (*TokenResponse, error) {
	r.GrantType = oauth.GrantRefreshToken
	spans.Note(ctx, spans.Grant, r.GrantType)
	if !c.Refresh.Cookie {
		return nil, i.refused(ctx, c, r, oauth.Refuse(oauth.UnauthorizedClient, oauth.ReasonUnsupportedGrant, "The client does not keep its refresh token in a cookie."))
	}
	if err := c.SenderFits(r.Sender); err != nil {
		return nil, i.refused(ctx, c, r, err)
	}
	res, err := i.refresh(ctx, c, r)
	if err != nil {
		return nil, i.refused(ctx, c, r, err)
	}
	return res, nil
}

// EndCookie ends the family of a cookie, for a sign-out in its browser, and
// reports whether the cookie was one of this client's. With only, the cookies of
// other users are left alone.
func (i *Issuer) EndCookie(ctx context.Context, c *clients.Client, value string, only *storage.UserTag) (ours bool, err error) {
	t, _, ok := parseRefreshToken(i.state.Secrets(), value)
	if !ok || t.client != c.Tag() || only != nil && t.user != *only {
		return false, nil
	}
	return true, i.EndGrant(ctx, t.user, t.family.ID(), c.ID)
}

// ReplaceCookie ends the family of a cookie whose place another one takes in its
// browser. A cookie that is not this client's is left alone.
func (i *Issuer) ReplaceCookie(ctx context.Context, c *clients.Client, value string) error {
	t, _, ok := parseRefreshToken(i.state.Secrets(), value)
	if !ok || t.client != c.Tag() {
		return nil
	}
	return i.endGrant(ctx, t.user, t.family.ID(), c.ID, history.EndedByNext)
}
