package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Gate checks the access tokens of a route that takes those of other issuers
// beside this gateway's. Safe for concurrent use.
type Gate struct {
	verifier *Verifier
	denylist *denylist.Denylist
	people   *Standings
	ready    func(context.Context) error
}

// NewGate makes a Gate. Ready opens what the tokens of this gateway need; those
// of other issuers do not wait for it. A duplicate issuer is an error.
func NewGate(cfg Config, denylist *denylist.Denylist, people *Standings, ready func(context.Context) error) (*Gate, error) {
	if err := eachOnce(cfg.Others, cfg.Issuer); err != nil {
		return nil, err
	}
	return &Gate{verifier: New(cfg), denylist: denylist, people: people, ready: ready}, nil
}

// eachOnce refuses a duplicate issuer.
func eachOnce(others []*Foreign, own ...string) error {
	seen := make(map[string]bool)
	for _, issuer := range own {
		seen[issuer] = true
	}
	for _, f := range others {
		if seen[f.Issuer()] {
			return fmt.Errorf("making gate: duplicate issuer %s", f.Issuer())
		}
		seen[f.Issuer()] = true
	}
	return nil
}

// CheckAccess verifies an access token of this gateway or of one of the others.
// Audience, scope and claims are the caller's rules. Errors: oauth.InvalidToken, or
// oauth.TemporarilyUnavailable when the denylist cannot answer or an issuer's keys
// are not known.
//
// The denylist and the Standings are asked for tokens of this gateway only. The former names tokens,
// families, subjects and clients of ours, so it could say nothing true about
// others: their issuer revokes them, and its access tokens end by themselves
// (see ForeignConfig.MaxTokenAge). So they need no store either, and pass while
// ours is down.
func (g *Gate) CheckAccess(ctx context.Context, token string) (*Claims, error) {
	claims, err := g.verifier.verifyOrWait(ctx, token)
	if err == nil && claims.Foreign() {
		return claims, nil
	}
	// Our keys come from the store: before it is open there are none.
	unknown := err == errUnknownKey //nolint:errorlint // the one shared value, as Verify says
	if err != nil && !unknown {
		return nil, err
	}
	if err := g.ready(ctx); err != nil {
		return nil, oauth.Unavailable(err)
	}
	if unknown {
		if claims, err = g.verifier.Verify(token); err != nil {
			return nil, err
		}
	}
	if err := g.CheckAgain(ctx, claims, false); err != nil {
		return nil, err
	}
	return claims, nil
}

// CheckAgain finds out afresh what may have changed about claims that CheckAccess has
// returned, their time too where expires is set. Errors: as CheckAccess.
func (g *Gate) CheckAgain(ctx context.Context, claims *Claims, expires bool) error {
	if err := g.verifier.checkTimeAgain(claims, expires); err != nil || claims.Foreign() {
		return err
	}
	if err := g.denylist.Check(ctx, &claims.Token); err != nil {
		return err
	}
	return g.people.Check(ctx, claims)
}

// ForeignGate checks the access tokens of a route that takes those of other
// issuers alone, where this gateway issues none. Safe for concurrent use.
type ForeignGate struct{ verifier *Verifier }

// NewForeignGate makes a ForeignGate. The cache may be shared by any number of
// gates; a nil clock is time.Now.
func NewForeignGate(cache *Cache, clock func() time.Time, others ...*Foreign) (*ForeignGate, error) {
	if err := eachOnce(others); err != nil {
		return nil, err
	}
	return &ForeignGate{New(Config{Cache: cache, Clock: clock, Others: others})}, nil
}

// CheckAccess verifies an access token of one of the issuers. Errors: as Gate.CheckAccess.
func (g *ForeignGate) CheckAccess(ctx context.Context, token string) (*Claims, error) {
	return g.verifier.verifyOrWait(ctx, token)
}

// CheckAgain knows of nothing but time: the issuers revoke nothing here.
func (g *ForeignGate) CheckAgain(_ context.Context, claims *Claims, expires bool) error {
	return g.verifier.checkTimeAgain(claims, expires)
}

// verifyOrWait is Verify for a request, which may have to wait for an issuer's first keys.
func (v *Verifier) verifyOrWait(ctx context.Context, token string) (*Claims, error) {
	claims, err := v.Verify(token)
	if err != errNoIssuerKeys { //nolint:errorlint // the one shared value, as Verify says
		return claims, err
	}
	t, err := jose.ReadCompact(token, v.maxBytes)
	if err != nil {
		return nil, err
	}
	issuer, err := issuerOf(t.Payload, v.maxMembers)
	if err != nil {
		return nil, err
	}
	if f := v.others[issuer]; f == nil || !f.cfg.Keys.Await(ctx, v.clock) {
		return nil, errNoIssuerKeys
	}
	return v.Verify(token)
}
