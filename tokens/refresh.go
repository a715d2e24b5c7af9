package tokens

import (
	"context"
	"slices"
)

// refresh is the refresh token grant. See RFC 6749 §6, RFC 9700 §4.14.
//
// Everything that can be refused is refused before the one store call that
// decides, so a refusal never rotates.
func (i *Issuer) refresh(ctx context.Context, c *Client, r TokenRequest) (*TokenResponse, error) {
	if r.RefreshToken == "" {
		return nil, invalidRequest("refresh_token is missing.")
	}
	t, secret, ok := parseRefreshToken(i.state.secrets(), r.RefreshToken)
	switch {
	case !ok:
		return nil, refuse(InvalidGrant, ReasonBadMAC, deadRefreshToken)
	case t.client != c.tag:
		return nil, refuse(InvalidGrant, ReasonClientMismatch, deadRefreshToken)
	}
	i.noteSecret(ctx, secret)
	grant, known, err := i.state.grants.get(ctx, t.grant)
	if err != nil {
		return nil, unavailable(err)
	}
	if !known { // the store has lost it: ours are kept for good
		i.observe(ctx, Event{Kind: EventStoreRollback, Outcome: string(ReasonGrantUnknown), Client: c.ID, User: t.user, Family: t.family.ID()})
		return nil, refuse(InvalidGrant, ReasonGrantUnknown, deadRefreshToken)
	}
	m, err := i.checkRefresh(c, grant, r)
	if err != nil {
		return nil, err
	}
	if m.keys, err = i.signers(c, m.idToken); err != nil {
		return nil, err
	}
	res, err := i.rotate(ctx, c, t)
	if err != nil {
		return nil, err
	}
	if m.profile, err = parseProfile(res.Profile); err != nil {
		return nil, unavailable(err)
	}
	m.issueAt = res.IssueAt
	m.authTime = res.Family.AuthTime
	m.family = t.family.ID()
	m.session = res.Family.Session
	m.refresh = i.refreshText(c, t.user, t.family, res.Family)
	return i.mint(ctx, m)
}

// checkRefresh holds the request against what was granted, and the grant
// against today's configuration. scope may narrow this access token only; the
// grant stays as it is. See RFC 6749 §6 and RFC 8707 §2.2.
func (i *Issuer) checkRefresh(c *Client, g Grant, r TokenRequest) (mint, error) {
	scopes := i.grantable(c, g.Scopes, g.Audiences)
	if !slices.Contains(scopes, ScopeOfflineAccess) {
		return mint{}, refuse(InvalidGrant, ReasonOfflineOff, deadRefreshToken)
	}
	audience, ok, err := i.pickAudience(c, g, r.Audiences, i.refreshable)
	if err != nil {
		return mint{}, err
	}
	if !ok {
		return mint{}, refuse(InvalidGrant, ReasonOfflineOff, deadRefreshToken)
	}
	asked, wellFormed := ParseScope(r.Scope)
	if !wellFormed || !subset(asked, g.Scopes) {
		return mint{}, refuse(InvalidScope, ReasonScope, "The scope is malformed or exceeds what was granted.")
	}
	if len(asked) > 0 {
		scopes = common(scopes, asked)
	}
	return mint{
		grant: GrantRefreshToken, client: c, audience: audience, scopes: i.scopesFor(c, scopes, audience), idToken: slices.Contains(g.Scopes, ScopeOpenID),
	}, nil
}

// pickAudience chooses the audience of one access token: the one asked for, if
// it was granted, else the first one granted that is still usable. Empty means
// the gateway's own userinfo. ok is false when no granted API is usable any
// more. See RFC 8707 §2.2.
func (i *Issuer) pickAudience(c *Client, g Grant, asked []string, usable func(*Client, string) bool) (audience string, ok bool, err error) {
	targets, err := i.targets(c, asked)
	switch {
	case err != nil:
		return "", false, err
	case len(targets) > 1,
		len(targets) == 1 && (!slices.Contains(g.Audiences, targets[0]) || !usable(c, targets[0])):
		return "", false, refuse(InvalidTarget, ReasonWrongAudience, "One access token is for one of the APIs that were granted.")
	case len(targets) == 1:
		return targets[0], true, nil
	case len(g.Audiences) == 0:
		return "", true, nil
	}
	for _, a := range g.Audiences {
		if usable(c, a) {
			return a, true, nil
		}
	}
	return "", false, nil
}

// registered reports whether an API is (still) one of the client's.
func (i *Issuer) registered(c *Client, audience string) bool {
	_, ok := i.API(audience)
	return ok && slices.Contains(c.APIs, audience)
}

// refreshable reports whether it may also be refreshed for.
func (i *Issuer) refreshable(c *Client, audience string) bool {
	return i.registered(c, audience) && i.offlineAllowed(audience)
}

// rotate lets the store decide about the presented generation.
func (i *Issuer) rotate(ctx context.Context, c *Client, t refreshToken) (RotateResult, error) {
	watermark, err := i.state.Denylist.ClientWatermark(ctx, c.tag)
	if err != nil {
		return RotateResult{}, err
	}
	attempt, err := i.attempt()
	if err != nil {
		return RotateResult{}, err
	}
	call, done := decisive(ctx)
	defer done()
	res, err := i.state.Store.Rotate(call, RotateRequest{
		User: t.user, Family: t.family.ID(), Client: c.tag, Grant: t.grant, Presented: t.generation,
		Rotation: c.Refresh.Rotation, Leeway: c.Refresh.Leeway,
		Lifetime: c.Refresh.Lifetime, IdleLifetime: c.Refresh.IdleLifetime,
		BegunAfter: watermark, Fingerprint: i.cfg.Accounts.Fingerprint(t.user),
		DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err != nil {
		i.state.Denylist.Changed(t.user) // it may have been decided all the same
		return res, unavailable(err)
	}
	return res, i.rotateOutcome(ctx, c, t, res)
}

// rotateOutcome tells what was decided, and turns it into the answer.
func (i *Issuer) rotateOutcome(ctx context.Context, c *Client, t refreshToken, res RotateResult) error {
	e := Event{Kind: EventRefresh, GrantType: GrantRefreshToken, Client: c.ID, User: t.user, Family: t.family.ID()}
	var reason Reason
	switch res.Outcome {
	case Rotated:
		e.Outcome = "rotated"
	case RotateReplayed:
		e.Outcome = "replayed"
	case RotateKept:
		e.Outcome = "kept"
	case RotateHealed:
		e.Outcome = "healed"
		i.observe(ctx, Event{Kind: EventStoreRollback, Client: c.ID, User: t.user, Family: e.Family})
	case RotateReused:
		i.state.Denylist.Changed(t.user)
		i.observe(ctx, Event{Kind: EventRefreshReuse, Outcome: string(ReasonReuse), Client: c.ID, User: t.user, Family: e.Family})
		reason = ReasonReuse
	case RotateExpired:
		reason = ReasonExpired
	case RotateUserChanged:
		reason = ReasonUserChanged
	case RotateMismatch:
		reason = ReasonClientMismatch
	case RotateUnknown:
		reason = ReasonUnknown
	}
	if reason != "" {
		e.Outcome = string(reason)
	}
	i.observe(ctx, e)
	if reason != "" {
		return refuse(InvalidGrant, reason, deadRefreshToken)
	}
	return nil
}

// refreshText writes the current refresh token of a family.
func (i *Issuer) refreshText(c *Client, user UserTag, key FamilyKey, f Family) string {
	t := refreshToken{user: user, family: key, client: c.tag, grant: f.Grant, generation: f.Generation}
	return t.text(i.state.secrets())
}
