package tokens

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// clientCredentials is the grant of a client that acts for itself. It gets
// neither an ID token nor a refresh token. See RFC 6749 §4.4.
func (i *Issuer) clientCredentials(ctx context.Context, c *clients.Client, r TokenRequest) (*TokenResponse, error) {
	audience, err := i.machineAudience(c, r.Audiences)
	if err != nil {
		return nil, err
	}
	allowed := i.apiScopes(c, audience)
	asked, ok := oauth.ParseScope(r.Scope)
	if !ok || !oauth.IsSubset(asked, allowed) {
		return nil, oauth.Refuse(oauth.InvalidScope, oauth.ReasonScope, "The scope is malformed, or not assigned to this client.").
			With(oauth.Mismatch{Sent: r.Scope, Registered: allowed, Option: "scopes"})
	}
	if len(asked) == 0 {
		asked = allowed
	}
	keys, err := i.signers(c, false)
	if err != nil {
		return nil, err
	}
	now, err := i.state.Store.Now(ctx)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if now, err = i.afterWatermark(ctx, c, now); err != nil {
		return nil, err
	}
	return i.mint(ctx, mint{grant: oauth.GrantClientCredentials, client: c, sender: r.Sender, audience: audience, scopes: asked, issueAt: now, keys: keys})
}

// afterWatermark dates a token that no family dates: at the given time, or one
// second after the client was ended in that very second. Nobody remembers how far
// ahead it is dated, as the store does for people, so it is never farther: after an
// end that had to reach ahead of the clock a machine comes again a moment later.
func (i *Issuer) afterWatermark(ctx context.Context, c *clients.Client, at time.Time) (time.Time, error) {
	watermark, err := i.state.Denylist.ClientWatermark(ctx, c.Tag())
	if err != nil {
		return at, err
	}
	if at.Truncate(time.Second).After(watermark) {
		return at, nil
	}
	if watermark.After(at) {
		return at, oauth.Unavailable(errJustEnded)
	}
	return watermark.Add(time.Second), nil
}

var errJustEnded = errors.New("dating a token: everything of the client was ended as of a moment ahead of the store's clock")

// machineAudience chooses the API: the one asked for, the default one, or the only one that the client has.
func (i *Issuer) machineAudience(c *clients.Client, asked []string) (string, error) {
	targets, err := i.targets(c, asked)
	targets = i.orDefault(c, targets)
	switch {
	case err != nil:
		return "", err
	case len(targets) == 1:
		return targets[0], nil
	case len(targets) == 0 && len(c.APIs) == 1:
		return c.APIs[0], nil
	case len(targets) == 0:
		return "", oauth.BadRequest("Name the API by audience: the client has several.")
	}
	return "", oauth.Refuse(oauth.InvalidTarget, oauth.ReasonWrongAudience, "An access token is for a single API.").
		With(oauth.Mismatch{Sent: strings.Join(targets, " "), Registered: c.APIs, Option: "apis"})
}
