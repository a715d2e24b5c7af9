package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// Operator is what the operator of an authorization server may ask for and do,
// over the heads of clients and people. Every error is TemporarilyUnavailable
// unless a method says otherwise. Safe for concurrent use.
type Operator struct {
	issuer *Issuer
	cfg    Config // of issuer
	state  *State
}

// NewOperator makes the Operator of an Issuer over its State.
func NewOperator(issuer *Issuer, state *State) *Operator {
	return &Operator{issuer: issuer, cfg: issuer.Config(), state: state}
}

// EndUser ends all sessions, refresh tokens and access tokens of a subject.
func (o *Operator) EndUser(ctx context.Context, subject string) (EndResult, error) {
	user := TagSubject(subject)
	res, err := o.state.End(ctx, EndRequest{User: user, Scope: EndUser}, EndedByOperator)
	if err != nil {
		return res, err
	}
	o.cfg.Observer.Happened(ctx, Event{Kind: EventRevoked, Outcome: OutcomeUser, Subject: subject, User: user})
	return res, nil
}

// EndClient ends all refresh tokens and access tokens that a client has until
// now. The client need not be configured any more.
func (o *Operator) EndClient(ctx context.Context, clientID string) error {
	if _, err := o.endClient(ctx, TagClient(clientID)); err != nil {
		return err
	}
	o.cfg.Observer.Happened(ctx, Event{Kind: EventRevoked, Outcome: OutcomeClient, Client: clientID})
	return nil
}

// EndEveryone ends all that anybody has until now: sessions, codes, refresh
// tokens and access tokens, those of machines too. It returns the time until
// which everything is over, and costs the same however much that is.
func (o *Operator) EndEveryone(ctx context.Context) (time.Time, error) {
	until, err := o.endClient(ctx, Everyone)
	if err != nil {
		return time.Time{}, err
	}
	o.cfg.Observer.Happened(ctx, Event{Kind: EventRevoked, Outcome: OutcomeEveryone})
	return until, nil
}

// endClient sets a watermark, and returns when nothing can slip past it any
// more. Where decisions can't look at it themselves (ClientEnd.Late) that takes
// until every node must have heard of it; then a second end reaches what they
// have decided meanwhile. A caller who leaves before is told of no end, and
// what was ended stays ended.
func (o *Operator) endClient(ctx context.Context, client ClientTag) (time.Time, error) {
	end, err := o.setWatermark(ctx, client)
	if err != nil || end.Late == 0 {
		return end.Before, err
	}
	background.Pause(ctx, o.state.Denylist.MarksBelieved(end.Late))
	if ctx.Err() != nil {
		return time.Time{}, unavailable(fmt.Errorf("waiting until every gateway must have heard of the end, which is to be repeated: %w", ctx.Err()))
	}
	end, err = o.setWatermark(ctx, client)
	return end.Before, err
}

// setWatermark ends a client until now, and tells all nodes.
func (o *Operator) setWatermark(ctx context.Context, client ClientTag) (ClientEnd, error) {
	ctx, done := decisive(ctx)
	defer done()
	end, err := o.state.Store.EndClient(ctx, client)
	if err != nil {
		return ClientEnd{}, unavailable(err)
	}
	if err := o.state.Denylist.ClientDenied(ctx); err != nil {
		return ClientEnd{}, unavailable(err)
	}
	return end, nil
}

// DisableUser ends all that a subject has, and refuses the subject until
// EnableUser: on every node, and whether it has ever logged in or not. The subject
// is for the log, as far as it is known.
func (o *Operator) DisableUser(ctx context.Context, user UserTag, subject string) (EndResult, error) {
	res, err := o.state.End(ctx, EndRequest{User: user, Scope: DisableUser}, EndedByOperator)
	if err != nil {
		return res, err
	}
	o.cfg.Observer.Happened(ctx, Event{Kind: EventRevoked, Outcome: OutcomeUserDisabled, Subject: subject, User: user})
	return res, nil
}

// EnableUser lets a disabled subject log in again, and reports whether it was
// disabled. What was ended stays ended.
func (o *Operator) EnableUser(ctx context.Context, user UserTag) (bool, error) {
	call, done := decisive(ctx)
	defer done()
	was, err := o.state.Store.Enable(call, user, o.state.NewAttempt())
	return was, o.state.Denylist.Settle(call, user, was, err)
}

// UserState is what operators may see of a user.
type UserState struct {
	Subject  string // "" where the profile is gone
	User     UserTag
	Known    bool // has logged in, and is remembered
	Disabled bool
	Families int // live
	Sessions int
}

// User returns what is known of a subject.
func (o *Operator) User(ctx context.Context, user UserTag) (UserState, error) {
	u := UserState{User: user}
	h, err := o.state.Store.Held(ctx, u.User)
	if err != nil {
		return u, unavailable(err)
	}
	families, err := o.issuer.live(ctx, h.Families)
	if err != nil {
		return u, err
	}
	denied, err := o.state.Store.Denials(ctx, []UserTag{u.User})
	if err != nil {
		return u, unavailable(err)
	}
	u.Known, u.Subject, u.Families = h.Profile != nil, subjectOf(h.Profile), len(families)
	everyone, err := o.state.Denylist.ClientWatermark(ctx, Everyone)
	if err != nil {
		return u, err
	}
	for _, s := range h.Sessions {
		if s.Begun.After(everyone) {
			u.Sessions++
		}
	}
	u.Disabled = slices.ContainsFunc(denied[0].Entries, func(d Denial) bool { return d.Kind == DenyUser })
	return u, nil
}

// ScanDisabled calls each with everybody who is disabled. An error of each ends it.
func (o *Operator) ScanDisabled(ctx context.Context, each func(UserState) error) error {
	err := o.state.Store.ScanUsers(ctx, PartDenied, func(r Record) error {
		if !r.Denied.Disabled() {
			return nil
		}
		u := UserState{User: r.Denied.User, Disabled: true}
		profile, err := o.state.Store.Profile(ctx, u.User)
		if err != nil {
			return err
		}
		u.Known, u.Subject = profile != nil, subjectOf(profile)
		return each(u)
	})
	return o.scanError(err)
}

// ErrNotOurs is returned for a text that is no living access token of this gateway.
var ErrNotOurs = errors.New("it is no access token of this server, or it has expired")

// DenyAccessToken denies one access token, and returns what it says.
func (o *Operator) DenyAccessToken(ctx context.Context, token string) (*Claims, error) {
	claims, err := o.issuer.Verifier().Verify(token)
	if err != nil || !claims.HasTokenID {
		return nil, ErrNotOurs
	}
	isNew, err := o.state.DenyToken(ctx, claims.User, claims.TokenID, claims.Expiry.Add(DefaultLeeway))
	if err != nil {
		return nil, err
	}
	if isNew {
		o.cfg.Observer.Happened(ctx, Event{Kind: EventRevoked, Outcome: OutcomeAccessToken, Subject: claims.Subject, User: claims.User})
	}
	return claims, nil
}

// DenyTokenID denies the access token of a subject that has this jti, for as
// long as any may live.
func (o *Operator) DenyTokenID(ctx context.Context, subject string, id TokenID) error {
	user := TagSubject(subject)
	ctx, done := decisive(ctx)
	defer done()
	now, err := o.state.Store.Now(ctx)
	if err == nil {
		err = o.state.Store.DenyToken(ctx, user, id, now.Add(o.state.DenyFor()))
	}
	if err := o.state.Denylist.Settle(ctx, user, true, err); err != nil {
		return err
	}
	o.cfg.Observer.Happened(ctx, Event{Kind: EventRevoked, Outcome: OutcomeAccessToken, Subject: subject, User: user})
	return nil
}

// DropKey forgets a signing key, here at once and on the other nodes within
// MaxLag, sooner by the feed. See KeyRing.Drop.
func (o *Operator) DropKey(ctx context.Context, kid string) error {
	return o.changeKeys(ctx, func() error { return o.state.Keys.Drop(ctx, kid) })
}

// RotateKeys makes new signing keys. See KeyRing.Rotate.
func (o *Operator) RotateKeys(ctx context.Context, immediate bool) error {
	return o.changeKeys(ctx, func() error { return o.state.Keys.Rotate(ctx, immediate) })
}

func (o *Operator) changeKeys(ctx context.Context, change func() error) error {
	if err := change(); err != nil {
		if errors.Is(err, ErrNoKey) {
			return err
		}
		return unavailable(err)
	}
	// The others look by themselves, too, when they don't hear of it.
	_ = o.state.Denylist.announce(ctx, FeedLine{Kind: FeedKeys})
	return nil
}
