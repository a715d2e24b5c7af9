// Package admin is what the operator of an authorization server may ask for and
// do: end what users, clients or everyone hold, disable users, rotate keys, and
// explain a token. It knows no HTTP and no command line; caddymodule/adminapi makes
// both of it.
//
// Begin reading at Operator.
package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Operator is what the operator of an authorization server may ask for and do,
// over the heads of clients and people. Every error is oauth.TemporarilyUnavailable
// unless a method says otherwise. Safe for concurrent use.
type Operator struct {
	issuer *tokens.Issuer
	cfg    tokens.Config // of issuer
	state  *state.State
}

// New makes the Operator of an Issuer over its State.
func New(issuer *tokens.Issuer, state *state.State) *Operator {
	return &Operator{issuer: issuer, cfg: issuer.Config(), state: state}
}

// EndUser ends all sessions, refresh tokens and access tokens of a subject.
func (o *Operator) EndUser(ctx context.Context, subject string) (storage.EndResult, error) {
	user := storage.TagSubject(subject)
	res, err := o.state.End(ctx, storage.EndRequest{User: user, Scope: storage.EndUser}, history.EndedByOperator)
	if err != nil {
		return res, err
	}
	o.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeUser, Subject: subject, User: user})
	return res, nil
}

// tagsOf returns the tags of all that a client holds: with a site go the app keys that were
// made for it.
func (o *Operator) tagsOf(client string) []storage.ClientTag {
	tags := []storage.ClientTag{o.issuer.TagOf(client)}
	if origin, ok := sites.OriginOf(client); ok && client == sites.ClientID(origin) {
		tags = append(tags, o.issuer.TagOf(sites.KeysID(origin)))
	}
	return tags
}

// EndClient ends all refresh tokens and access tokens that a client has until
// now, for a site its sessions and its app keys. The client need not be configured any more.
// What a client that nobody registered begins later is not ended: see BlockClient.
func (o *Operator) EndClient(ctx context.Context, clientID string) error {
	for _, tag := range o.tagsOf(clientID) {
		if _, err := o.endClient(ctx, tag, o.issuer.KeepsEnd(tag)); err != nil {
			return err
		}
	}
	o.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeClient, Client: clientID})
	return nil
}

// EndEveryone ends all that anybody has until now: sessions, codes, refresh
// tokens and access tokens, those of machines too. It returns the time until
// which everything is over, and costs the same however much that is.
func (o *Operator) EndEveryone(ctx context.Context) (time.Time, error) {
	until, err := o.endClient(ctx, storage.Everyone, 0)
	if err != nil {
		return time.Time{}, err
	}
	o.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeEveryone})
	return until, nil
}

// endClient sets a watermark, and returns when nothing can slip past it any
// more. Where decisions can't look at it themselves (storage.ClientEnd.Late) that takes
// until every node must have heard of it; then a second end reaches what they
// have decided meanwhile. If ctx ends first, the error says that the call has to be
// repeated; what was ended stays ended.
func (o *Operator) endClient(ctx context.Context, client storage.ClientTag, keep time.Duration) (time.Time, error) {
	end, err := o.setWatermark(ctx, client, keep)
	if err != nil || end.Late == 0 {
		return end.Before, err
	}
	background.Pause(ctx, o.state.Denylist.MarksBelieved(end.Late))
	if ctx.Err() != nil {
		return time.Time{}, oauth.Unavailable(fmt.Errorf("waiting until every gateway must have heard of the end: run it again: %w", ctx.Err()))
	}
	end, err = o.setWatermark(ctx, client, keep)
	return end.Before, err
}

// setWatermark ends a client until now, and tells all nodes.
func (o *Operator) setWatermark(ctx context.Context, client storage.ClientTag, keep time.Duration) (storage.ClientEnd, error) {
	ctx, done := storage.Decisive(ctx)
	defer done()
	end, err := o.state.Store.EndClient(ctx, client, keep)
	if err != nil {
		return storage.ClientEnd{}, oauth.Unavailable(err)
	}
	if err := o.state.Denylist.ClientDenied(ctx); err != nil {
		return storage.ClientEnd{}, oauth.Unavailable(err)
	}
	return end, nil
}

// DisableUser ends all that a subject has, and refuses the subject until
// EnableUser: on every node, and whether it has ever logged in or not. The subject
// is for the log, as far as it is known.
func (o *Operator) DisableUser(ctx context.Context, user storage.UserTag, subject string) (storage.EndResult, error) {
	res, err := o.state.End(ctx, storage.EndRequest{User: user, Scope: storage.DisableUser}, history.EndedByOperator)
	if err != nil {
		return res, err
	}
	o.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeUserDisabled, Subject: subject, User: user})
	return res, nil
}

// EnableUser lets a disabled subject log in again, and reports whether it was
// disabled. What was ended stays ended.
func (o *Operator) EnableUser(ctx context.Context, user storage.UserTag) (bool, error) {
	call, done := storage.Decisive(ctx)
	defer done()
	was, err := o.state.Store.Enable(call, user, o.state.NewAttempt())
	return was, o.state.Denylist.Settle(call, user, was, err)
}

// ErrNotOurs is returned for text that is not a valid access token of this gateway.
var ErrNotOurs = errors.New("it is not an access token of this server, or it has expired")

// DenyAccessToken denies one access token, and returns what it says.
func (o *Operator) DenyAccessToken(ctx context.Context, token string) (*verify.Claims, error) {
	claims, err := o.issuer.Verifier().Verify(token)
	if err != nil || !claims.HasTokenID {
		return nil, ErrNotOurs
	}
	isNew, err := o.state.DenyToken(ctx, claims.User, claims.TokenID, claims.Expiry.Add(oauth.DefaultLeeway))
	if err != nil {
		return nil, err
	}
	if isNew {
		o.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeAccessToken, Subject: claims.Subject, User: claims.User})
	}
	return claims, nil
}

// DenyTokenID denies the access token of a subject that has this jti, for as
// long as any may live.
func (o *Operator) DenyTokenID(ctx context.Context, subject string, id storage.TokenID) error {
	user := storage.TagSubject(subject)
	ctx, done := storage.Decisive(ctx)
	defer done()
	now, err := o.state.Store.Now(ctx)
	if err == nil {
		err = o.state.Store.DenyToken(ctx, user, id, now.Add(o.state.DenyFor()))
	}
	if err := o.state.Denylist.Settle(ctx, user, true, err); err != nil {
		return err
	}
	o.cfg.Observer.Happened(ctx, oauth.Event{Kind: oauth.EventRevoked, Outcome: oauth.OutcomeAccessToken, Subject: subject, User: user})
	return nil
}

// DropKey forgets a signing key, here at once and on the other nodes within
// MaxLag, sooner by the feed. See keyring.Ring.Drop.
func (o *Operator) DropKey(ctx context.Context, kid string) error {
	return o.changeKeys(ctx, func() error { return o.state.Keys.Drop(ctx, kid) })
}

// RotateKeys makes new signing keys. See keyring.Ring.Rotate.
func (o *Operator) RotateKeys(ctx context.Context, immediate bool) error {
	return o.changeKeys(ctx, func() error { return o.state.Keys.Rotate(ctx, immediate) })
}

func (o *Operator) changeKeys(ctx context.Context, change func() error) error {
	if err := change(); err != nil {
		if errors.Is(err, keyring.ErrNoKey) {
			return err
		}
		return oauth.Unavailable(err)
	}
	// The others look by themselves, too, when they don't hear of it.
	_ = o.state.Denylist.Announce(ctx, storage.FeedLine{Kind: storage.FeedKeys})
	return nil
}
