package tokens

import (
	"cmp"
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
	case t.client != c.Tag():
		return nil, refuse(InvalidGrant, ReasonClientMismatch, deadRefreshToken)
	}
	i.noteSecret(ctx, secret)
	if err := t.senderFits(r.Sender); err != nil {
		return nil, err
	}
	p := UnansweredRequest{User: t.user, Family: t.family.ID(), Presented: t.generation, Asked: i.state.storeNow(), Leeway: c.Refresh.Leeway}
	res, err := i.refreshOnce(ctx, c, r, t, &p)
	if c.Refresh.Rotation && withoutAnswer(ctx, err) {
		i.state.owed.add(p)
	}
	return res, err
}

// withoutAnswer reports whether the one who asks is told to come again, or has
// hung up, whatever was decided.
func withoutAnswer(ctx context.Context, err error) bool {
	return err != nil && AsError(err).Code == TemporarilyUnavailable || err == nil && ctx.Err() != nil
}

// refreshOnce answers a refresh token of the client, and notes in p by which
// attempt it was presented.
func (i *Issuer) refreshOnce(ctx context.Context, c *Client, r TokenRequest, t refreshToken, p *UnansweredRequest) (*TokenResponse, error) {
	grant, known, err := i.state.grants.get(ctx, t.grant, c.Refresh)
	if err != nil {
		return nil, unavailable(err)
	}
	if !known { // the store has lost it: ours are kept as long as a family may have them
		i.observe(ctx, Event{Kind: EventStoreRollback, Outcome: Outcome(ReasonGrantUnknown), Client: c.ID, User: t.user, Family: t.family.ID()})
		return nil, refuse(InvalidGrant, ReasonGrantUnknown, deadRefreshToken)
	}
	m, err := i.checkRefresh(c, grant, r)
	if err != nil {
		return nil, err
	}
	if m.keys, err = i.signers(c, m.idToken); err != nil {
		return nil, err
	}
	res, err := i.rotate(ctx, c, t, p)
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
	m.refresh = i.refreshText(c, t.user, t.family, res.Family, c.bindRefresh(t.bound, r.Sender))
	m.refreshEnds, m.presented = res.Family.ends(), r.RefreshToken
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
	audience, err := pickAudience(g, r.Audiences)
	if err != nil {
		return mint{}, err
	}
	if audience != "" && !i.refreshable(c, audience) {
		return mint{}, refuse(InvalidGrant, ReasonOfflineOff, deadRefreshToken)
	}
	asked, wellFormed := ParseScope(r.Scope)
	if !wellFormed || !subset(asked, g.Scopes) {
		return mint{}, refuse(InvalidScope, ReasonScope, "The scope is malformed or exceeds what was granted.")
	}
	if scopes = i.scopesFor(c, scopes, audience); len(asked) > 0 {
		if scopes = common(scopes, asked); len(scopes) == 0 {
			return mint{}, refuse(InvalidScope, ReasonScope, "The scope has nothing that this token's API knows. Ask for that API's scopes, or name the other API as the audience.")
		}
	}
	return mint{
		grant: GrantRefreshToken, client: c, sender: r.Sender, audience: audience, scopes: scopes, acr: g.ACR,
		idToken: slices.Contains(g.Scopes, ScopeOpenID),
	}, nil
}

// pickAudience chooses the audience of one access token: the granted API that is
// asked for, or else the first that was granted, and no other: whoever names
// none expects that one. Empty means the gateway's own userinfo. Whether the API
// is usable today is for the caller to say. See RFC 8707 §2.2.
func pickAudience(g Grant, asked []string) (string, error) {
	audience := ""
	for _, a := range asked {
		switch {
		case a == "" || a == audience:
		case audience != "" || !slices.Contains(g.Audiences, a):
			return "", refuse(InvalidTarget, ReasonWrongAudience, "One access token is for one of the APIs that were granted.")
		default:
			audience = a
		}
	}
	if audience == "" && len(g.Audiences) > 0 {
		audience = g.Audiences[0]
	}
	return audience, nil
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
func (i *Issuer) rotate(ctx context.Context, c *Client, t refreshToken, p *UnansweredRequest) (RotateResult, error) {
	marks, err := i.state.Denylist.MarksOf(ctx, c.Tag())
	if err != nil {
		return RotateResult{}, err
	}
	attempt := i.state.NewAttempt()
	call, done := decisive(ctx)
	defer done()
	if err := i.state.owed.settle(call, p.Family, p.Presented); err != nil {
		return RotateResult{}, unavailable(err)
	}
	p.Attempts = []Attempt{attempt}
	res, err := i.state.Store.Rotate(call, RotateRequest{
		User: t.user, Family: t.family.ID(), Client: c.Tag(), Grant: t.grant, Presented: t.generation,
		Rotation: c.Refresh.Rotation, Leeway: c.Refresh.Leeway, Settle: c.Refresh.settle(),
		Lifetime: c.Refresh.Lifetime, IdleLifetime: c.Refresh.IdleLifetime,
		BegunAfter: marks.Client, Fingerprint: i.cfg.Accounts.Fingerprint(t.user),
		DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err != nil && res.Outcome == RotateReused { // it is ended all the same: whoever can be told is
		_ = i.state.Denylist.Settle(call, t.user, true, nil)
		_ = i.rotateOutcome(ctx, c, t, res)
		return res, unavailable(err)
	}
	untold := i.state.Denylist.Settle(call, t.user, res.Outcome == RotateReused, err)
	if err != nil {
		return res, untold
	}
	return res, cmp.Or(untold, i.rotateOutcome(ctx, c, t, res))
}

// rotateOutcome tells what was decided, and turns it into the answer.
func (i *Issuer) rotateOutcome(ctx context.Context, c *Client, t refreshToken, res RotateResult) error {
	e := Event{Kind: EventRefresh, GrantType: GrantRefreshToken, Client: c.ID, User: t.user, Family: t.family.ID()}
	var reason Reason
	switch res.Outcome {
	case Rotated:
		e.Outcome = OutcomeRotated
	case RotateReplayed:
		e.Outcome = OutcomeReplayed
	case RotateKept:
		e.Outcome = OutcomeKept
	case RotateYoung:
		e.Outcome = OutcomeYoung
	case RotateHealed:
		e.Outcome = OutcomeHealed
		i.observe(ctx, Event{Kind: EventStoreRollback, Outcome: OutcomeHealed, Client: c.ID, User: t.user, Family: e.Family})
	case RotateReused:
		i.observe(ctx, Event{Kind: EventRefreshReuse, Outcome: Outcome(ReasonReuse), Client: c.ID, User: t.user, Family: e.Family})
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
		e.Outcome = Outcome(reason)
	}
	i.observe(ctx, e)
	i.noteRefresh(ctx, e, res, reason)
	if reason != "" {
		return refuse(InvalidGrant, reason, deadRefreshToken)
	}
	return nil
}

// noteRefresh adds a refresh to the history of its family.
func (i *Issuer) noteRefresh(ctx context.Context, e Event, res RotateResult, reason Reason) {
	h := HistoryEntry{Kind: HistoryUsed, Client: e.Client, User: e.User}
	switch {
	case reason == ReasonReuse:
		h.Kind = HistoryReused
	case reason != "":
		h.Kind, h.By = HistoryRefused, string(reason)
	case res.Outcome == RotateReplayed:
		h.Kind, h.Age = HistoryReplayed, res.IssueAt.Sub(res.Family.Rotated)
	case res.Outcome == RotateHealed:
		h.Kind = HistoryHealed
	}
	i.state.History.Note(ctx, e.Family, h)
}

// refreshText writes the current refresh token of a family.
func (i *Issuer) refreshText(c *Client, user UserTag, key FamilyKey, f Family, bound Confirmation) string {
	t := refreshToken{user: user, family: key, client: c.Tag(), grant: f.Grant, generation: f.Generation, bound: bound}
	return t.text(i.state.secrets())
}
