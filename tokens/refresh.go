package tokens

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/spans"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// refresh is the refresh token grant. See RFC 6749 §6, RFC 9700 §4.14.
//
// Everything that can be refused is refused before the one store call that
// decides, so a refusal never rotates.
func (i *Issuer) refresh(ctx context.Context, c *clients.Client, r TokenRequest) (*TokenResponse, error) {
	if r.RefreshToken == "" {
		return nil, oauth.BadRequest("refresh_token is missing.")
	}
	t, secret, ok := parseRefreshToken(i.state.Secrets(), r.RefreshToken)
	switch {
	case !ok:
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBadMAC, deadRefreshToken)
	case t.client != c.Tag():
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonClientMismatch, deadRefreshToken)
	}
	i.noteSecret(ctx, secret)
	if err := t.senderFits(r.Sender); err != nil {
		return nil, err
	}
	p := storage.UnansweredRequest{User: t.user, Family: t.family.ID(), Presented: t.generation, Asked: i.state.StoreNow(), Leeway: c.Refresh.Leeway}
	res, err := i.refreshOnce(ctx, c, r, t, &p)
	if c.Refresh.Rotation && withoutAnswer(ctx, err) {
		i.state.Owed.Add(p)
	}
	return res, err
}

// withoutAnswer reports whether the client is told to come again, or has hung up,
// whatever was decided.
func withoutAnswer(ctx context.Context, err error) bool {
	return err != nil && oauth.AsError(err).Code == oauth.TemporarilyUnavailable || err == nil && ctx.Err() != nil
}

// refreshOnce answers a refresh token of the client, and notes in p by which
// attempt it was presented.
func (i *Issuer) refreshOnce(ctx context.Context, c *clients.Client, r TokenRequest, t refreshToken, p *storage.UnansweredRequest) (*TokenResponse, error) {
	grant, known, err := i.state.Grants.Get(ctx, t.grant, c.Refresh.KeepsGrants())
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if !known { // the store has lost it: ours are kept as long as a family may have them
		i.observe(ctx, oauth.Event{Kind: oauth.EventStoreRollback, Outcome: oauth.Outcome(oauth.ReasonGrantUnknown), Client: c.ID, User: t.user, Family: t.family.ID()})
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonGrantUnknown, deadRefreshToken)
	}
	if grant.Keyed && !c.Confidential() { // what its document says today is not looked at
		return nil, withoutKey()
	}
	m, err := i.checkRefresh(c, grant, r)
	if err != nil {
		return nil, err
	}
	if m.keys, err = i.signers(c, m.idToken); err != nil {
		return nil, err
	}
	res, err := i.rotate(ctx, c, t, p, refreshUse)
	if err != nil {
		return nil, err
	}
	if m.profile, err = parseProfile(res.Profile); err != nil {
		return nil, oauth.Unavailable(err)
	}
	if m.profile, err = i.vouched(ctx, m.profile, res.Family, t.user); err != nil {
		return nil, err
	}
	m.scopes = i.personScopes(m.scopes, m.audience, m.profile) // what was lost is left out, and comes back
	m.issueAt = res.IssueAt
	m.authTime = res.Family.AuthTime
	m.family = t.family.ID()
	m.session = res.Family.Session
	m.refresh = i.refreshText(c, t.user, t.family, res.Family, c.BindRefresh(t.bound, r.Sender))
	m.refreshEnds, m.presented = res.Family.Ends(), r.RefreshToken
	return i.mint(ctx, m)
}

// checkRefresh holds the request against what was granted, and the grant
// against today's configuration. scope may narrow this access token only; the
// grant stays as it is. Scopes that an authorization request would drop are
// dropped here, too, since clients send the same text again. See RFC 6749 §6 and RFC 8707 §2.2.
func (i *Issuer) checkRefresh(c *clients.Client, g storage.Grant, r TokenRequest) (mint, error) {
	scopes := i.grantable(c, g.Scopes, g.Audiences)
	if !slices.Contains(scopes, oauth.ScopeOfflineAccess) {
		return mint{}, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonOfflineOff, deadRefreshToken)
	}
	if c.Refresh.MultiResource {
		g, scopes = i.beyondGrant(c, g, scopes, r.Audiences)
	}
	audience, err := i.pickAudience(g, r.Audiences)
	if err != nil {
		return mint{}, err
	}
	if audience != "" && !i.refreshable(c, audience) {
		return mint{}, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonOfflineOff, deadRefreshToken)
	}
	if scopes, err = i.narrowed(c, g, i.scopesFor(c, scopes, audience), r.Scope); err != nil {
		return mint{}, err
	}
	return mint{
		grant: oauth.GrantRefreshToken, client: c, sender: r.Sender, audience: audience, scopes: scopes, acr: g.ACR,
		idToken: slices.Contains(g.Scopes, oauth.ScopeOpenID),
	}, nil
}

// narrowed returns the scopes of a token, of those that it could have, as the request asks for
// them. For a client that nobody has registered they are cut and never refused.
func (i *Issuer) narrowed(c *clients.Client, g storage.Grant, scopes []string, text string) ([]string, error) {
	asked, wellFormed := oauth.ParseScope(text)
	if wellFormed && len(asked) == 0 {
		return scopes, nil
	}
	left := oauth.CommonScope(scopes, asked)
	switch {
	case c.Unregistered():
		return cut(c, scopes, asked), nil
	case !wellFormed || !oauth.IsSubset(asked, g.Scopes) && !oauth.IsSubset(i.grantable(c, asked, g.Audiences), g.Scopes):
		return nil, oauth.Refuse(oauth.InvalidScope, oauth.ReasonScope, "The scope is malformed or exceeds what was granted.").
			With(oauth.Mismatch{Sent: text, Registered: g.Scopes})
	case len(left) == 0:
		return nil, oauth.Refuse(oauth.InvalidScope, oauth.ReasonScope, "None of the scopes belongs to this token's API. Ask for that API's scopes, or name the other API as the audience.")
	}
	return left, nil
}

// beyondGrant returns a grant, and its scopes, with which a client whose refresh
// tokens are multi-resource gets a token for an API of its own that was not asked
// for at sign-in: all that the client may have there, and of the gateway's own
// scopes those that were granted. Another API leaves both as they are.
func (i *Issuer) beyondGrant(c *clients.Client, g storage.Grant, scopes, asked []string) (storage.Grant, []string) {
	for _, a := range asked {
		api, ok := i.identifierOf(c.APIs, a)
		if !ok || slices.Contains(g.Audiences, api) || !i.refreshable(c, api) {
			continue
		}
		own := oauth.CommonScope(scopes, oauth.ReservedScopes)
		beyond := storage.Grant{Scopes: slices.Concat(own, i.apiScopes(c, api)), Audiences: []string{api}, ACR: g.ACR}
		return beyond, beyond.Scopes
	}
	return g, scopes
}

// pickAudience chooses the audience of one access token: the granted API that is
// asked for, or else the first that was granted, and no other: a client that names
// none expects that one. Empty means the gateway's own userinfo. Whether the API
// is usable today is for the caller to say. See RFC 8707 §2.2.
func (i *Issuer) pickAudience(g storage.Grant, asked []string) (string, error) {
	audience := ""
	for _, a := range asked {
		if a == "" {
			continue
		}
		api, ok := i.identifierOf(g.Audiences, a)
		if !ok || audience != "" && audience != api {
			return "", oauth.Refuse(oauth.InvalidTarget, oauth.ReasonWrongAudience, "An access token is for a single API, one of those that were granted.").
				With(oauth.Mismatch{Sent: oauth.PrintableURI(a), Registered: g.Audiences})
		}
		audience = api
	}
	if audience == "" && len(g.Audiences) > 0 {
		audience = g.Audiences[0]
	}
	return audience, nil
}

// refreshable reports whether it may also be refreshed for.
func (i *Issuer) refreshable(c *clients.Client, audience string) bool {
	return i.registered(c, audience) && i.offlineAllowed(audience)
}

// use is what a family is asked for.
type use uint8

const (
	refreshUse use = iota // an application refreshes
	siteUse               // the session of a site is used, which never rotates
	siteLook              // and here it is only looked at
)

// rotate lets the store decide about the presented generation.
func (i *Issuer) rotate(ctx context.Context, c *clients.Client, t refreshToken, p *storage.UnansweredRequest, how use) (storage.RotateResult, error) {
	ctx, span := spans.Begin(ctx, spans.Refresh)
	defer span.End()
	spans.Note(ctx, spans.Client, c.ID)
	res, err := i.decideRotation(ctx, c, t, p, how)
	if err != nil && oauth.AsError(err).Code == oauth.TemporarilyUnavailable {
		spans.Fail(ctx, oauth.ReasonStore)
	}
	return res, err
}

func (i *Issuer) decideRotation(ctx context.Context, c *clients.Client, t refreshToken, p *storage.UnansweredRequest, how use) (storage.RotateResult, error) {
	marks, err := i.state.Denylist.MarksOf(ctx, c.Tag())
	if err != nil {
		return storage.RotateResult{}, err
	}
	attempt := i.state.NewAttempt()
	call, done := storage.Decisive(ctx)
	defer done()
	if err := i.state.Owed.Settle(call, p.Family, p.Presented); err != nil {
		return storage.RotateResult{}, oauth.Unavailable(err)
	}
	p.Attempts = []storage.Attempt{attempt}
	res, err := i.present(ctx, call, storage.RotateRequest{
		User: t.user, Family: t.family.ID(), Client: c.Tag(), Grant: t.grant, Presented: t.generation,
		Rotation: c.Refresh.Rotation, Spare: c.Refresh.ReuseRefused, Unused: how == siteLook, Leeway: c.Refresh.Leeway, Settle: c.Refresh.Settle(),
		Lifetime: c.Refresh.Lifetime, IdleLifetime: c.Refresh.IdleLifetime,
		BegunAfter: marks.Client, Fingerprints: i.cfg.Accounts.Fingerprints(t.user, c.Logins...),
		Groups: i.cfg.People.Ask(t.user, c.For), DenyFor: i.state.DenyFor(), Attempt: attempt,
	})
	if err != nil && how != refreshUse { // there is but one generation, so that nothing can have ended
		err = storage.EndedNothing(err)
	}
	if err != nil && res.Outcome == storage.RotateReused { // it is ended all the same: whoever can be told is
		_ = i.state.Denylist.Settle(call, t.user, true, nil)
		_ = i.rotateOutcome(ctx, c, t, res)
		return res, oauth.Unavailable(err)
	}
	untold := i.state.Denylist.Settle(call, t.user, res.Outcome == storage.RotateReused, err)
	if err != nil || how == siteLook && res.Outcome.Granted() {
		spans.Note(ctx, spans.Outcome, oauth.OutcomeKept)
		return res, untold
	}
	return res, cmp.Or(untold, i.rotateOutcome(ctx, c, t, res))
}

// rotateOutcome reports what was decided, and turns it into the answer.
func (i *Issuer) rotateOutcome(ctx context.Context, c *clients.Client, t refreshToken, res storage.RotateResult) error {
	e := oauth.Event{Kind: oauth.EventRefresh, GrantType: oauth.GrantRefreshToken, Client: c.ID, User: t.user, Family: t.family.ID()}
	var reason oauth.Reason
	switch res.Outcome {
	case storage.Rotated:
		e.Outcome = oauth.OutcomeRotated
	case storage.RotateReplayed:
		e.Outcome = oauth.OutcomeReplayed
	case storage.RotateKept:
		e.Outcome = oauth.OutcomeKept
	case storage.RotateYoung:
		e.Outcome = oauth.OutcomeYoung
	case storage.RotateHealed:
		e.Outcome = oauth.OutcomeHealed
		i.observe(ctx, oauth.Event{Kind: oauth.EventStoreRollback, Outcome: oauth.OutcomeHealed, Client: c.ID, User: t.user, Family: e.Family})
	case storage.RotateReused:
		i.observe(ctx, oauth.Event{Kind: oauth.EventRefreshReuse, Outcome: oauth.Outcome(oauth.ReasonReuse), Client: c.ID, User: t.user, Family: e.Family})
		reason = oauth.ReasonReuse
	case storage.RotateSpared:
		i.observe(ctx, oauth.Event{Kind: oauth.EventRefreshReuse, Outcome: oauth.OutcomeSpared, Client: c.ID, User: t.user, Family: e.Family})
		reason = oauth.ReasonReuse
	case storage.RotateExpired:
		reason = oauth.ReasonExpired
	case storage.RotateUserChanged:
		reason = oauth.ReasonUserChanged
	case storage.RotateNotAllowed:
		reason = oauth.ReasonNotAllowed
	case storage.RotateMismatch:
		reason = oauth.ReasonClientMismatch
	case storage.RotateUnknown:
		reason = oauth.ReasonUnknown
	}
	if reason != "" {
		e.Outcome = oauth.Outcome(reason)
	}
	spans.Note(ctx, spans.Outcome, e.Outcome)
	i.observe(ctx, e)
	i.noteRefresh(ctx, c, e, res, reason)
	if reason != "" {
		return oauth.Refuse(oauth.InvalidGrant, reason, deadRefreshToken)
	}
	return nil
}

// noteRefresh adds a refresh to the history of its family.
func (i *Issuer) noteRefresh(ctx context.Context, c *clients.Client, e oauth.Event, res storage.RotateResult, reason oauth.Reason) {
	h := history.Entry{Kind: history.Used, Client: c.Ref(), User: e.User}
	switch {
	case res.Outcome == storage.RotateReused:
		h.Kind = history.Reused
	case reason != "":
		h.Kind, h.By = history.Refused, string(reason)
	case res.Outcome == storage.RotateReplayed:
		h.Kind, h.Age = history.Replayed, res.IssueAt.Sub(res.Family.Rotated)
	case res.Outcome == storage.RotateHealed:
		h.Kind = history.Healed
	}
	i.state.History.Note(ctx, e.Family, h)
}

// refreshText writes the current refresh token of a family.
func (i *Issuer) refreshText(c *clients.Client, user storage.UserTag, key storage.FamilyKey, f storage.Family, bound jose.Confirmation) string {
	t := refreshToken{user: user, family: key, client: c.Tag(), grant: f.Grant, generation: f.Generation, bound: bound}
	return t.text(i.state.Secrets())
}
