package verify

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Standing knows people by the configuration as it is now. Safe for concurrent use.
type Standing interface {
	// Standing says whether the subject of a token of this gateway is gone: nobody whom the
	// logins of the configuration can know. The mark is that of a local user's password
	// as configured now, and nil for everybody else.
	Standing(user storage.UserTag, subject string) (gone bool, mark *storage.Mark)
}

// Profiles is what Standings need of a storage.Store.
type Profiles interface {
	Profile(ctx context.Context, user storage.UserTag) (storage.Profile, error)
}

const (
	// settledFor is how long a verdict of the store about a password is believed. What
	// a later change of the password ends is on the denylist.
	settledFor = time.Minute
	// maxSettled is how many verdicts are kept; with more all are forgotten.
	maxSettled = 1 << 16
)

// Standings tell whether the people whom tokens of this gateway name are still so by the
// configuration, before those tokens end. Safe for concurrent use.
//
// Nodes may have different lists of users for a while, and one alone cannot tell which
// is newer. Where a token was made by another password than this node knows, the store
// tells: it has the fingerprint of the last login, and the one that this login has replaced.
type Standings struct {
	people Standing
	store  Profiles
	clock  func() time.Time

	mu      sync.Mutex
	settled map[question]settled
}

// question is whether a token with a mark is good at a node that knows another.
type question struct {
	user       storage.UserTag
	token, own storage.Mark
}

// settled is what the store made of it.
type settled struct {
	good  bool
	asked time.Time
}

// NewStandings makes Standings.
func NewStandings(people Standing, store Profiles, clock func() time.Time) *Standings {
	return &Standings{people: people, store: store, clock: clock, settled: make(map[question]settled)}
}

var errUserChanged = oauth.BadToken(oauth.ReasonUserChanged)

// Check returns nil for a token of this gateway whose person still stands, or that names
// none. Errors: oauth.InvalidToken for a local user who was removed or has another
// password, and for who came by a login that is gone; oauth.TemporarilyUnavailable when the
// store would have to say so and cannot be asked.
func (s *Standings) Check(ctx context.Context, c *Claims) error {
	gone, own := s.people.Standing(c.User, c.Subject)
	switch {
	case gone:
		return errUserChanged
	case own == nil || c.hasMark && *own == c.mark:
		return nil
	case !c.hasMark:
		return errUserChanged // made while the configuration did not list them
	}
	good, err := s.settle(ctx, question{c.User, c.mark, *own})
	switch {
	case err != nil:
		return oauth.Unavailable(err)
	case !good:
		return errUserChanged
	}
	return nil
}

// settle asks the store, or knows what it has said. A token is good that was made by the
// password of the last login, at a node that still has the one that this login has replaced: the
// node is behind. A node that has any other is ahead of that login.
func (s *Standings) settle(ctx context.Context, q question) (bool, error) {
	now := s.clock()
	s.mu.Lock()
	known, ok := s.settled[q]
	s.mu.Unlock()
	if age := now.Sub(known.asked); ok && age >= 0 && age < settledFor {
		return known.good, nil
	}
	p, err := s.store.Profile(ctx, q.user)
	if err != nil {
		return false, err
	}
	good := p.Fingerprint.Mark() == q.token && p.Before != (storage.Fingerprint{}) && p.Before.Mark() == q.own
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.settled) >= maxSettled {
		clear(s.settled)
	}
	s.settled[q] = settled{good, now}
	return good, nil
}
