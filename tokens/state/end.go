package state

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/history"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// End asks the store to end something of a user and tells all nodes. by goes
// into the histories of the families that end. What this node has ended and told
// within the last second is not ended once more: the result is not New then. The
// Attempt and DenyFor of the request are set here. The error is oauth.TemporarilyUnavailable.
func (s *State) End(ctx context.Context, r storage.EndRequest, by string) (storage.EndResult, error) {
	key, lasts := endKeyOf(r)
	if lasts && s.ends.recently(key, s.clock()) {
		return storage.EndResult{}, nil
	}
	r.Attempt = s.NewAttempt()
	r.DenyFor = s.DenyFor()
	expected := s.expect(ctx, &r)
	ctx, done := storage.Decisive(ctx)
	defer done()
	res, err := s.Store.End(ctx, r)
	for _, id := range res.Families {
		s.History.Note(ctx, id, history.Entry{Kind: history.Ended, By: by, User: r.User})
	}
	expected.Ended(ctx, res.Told, res.Dropped, err)
	if err := s.Denylist.Settle(ctx, r.User, true, err); err != nil {
		return res, err
	}
	if lasts {
		s.ends.add(key, s.clock())
	}
	return res, nil
}

// EndRecheck tells the store what a provider has answered, and all nodes what that ends.
// DenyFor is set here. The error is oauth.TemporarilyUnavailable.
func (s *State) EndRecheck(ctx context.Context, r storage.RecheckAnswer) (storage.RecheckResult, error) {
	r.DenyFor = s.DenyFor()
	expected := Expectation{state: s, user: r.User}
	if r.Answer == storage.ProviderGone {
		expected = s.ExpectLogouts(ctx, r.User)
	}
	ctx, done := storage.Decisive(ctx)
	defer done()
	res, err := s.Store.EndRecheck(ctx, r)
	for _, id := range res.Ended.Families {
		s.History.Note(ctx, id, history.Entry{Kind: history.Ended, By: history.EndedByProvider, User: r.User})
	}
	expected.Ended(ctx, res.Ended.Told, res.Ended.Dropped, err)
	return res, s.Denylist.Settle(ctx, r.User, r.Answer == storage.ProviderGone && res.Outcome == storage.RecheckEnded, err)
}

// DenyToken denies one access token and tells all nodes, unless this one has done
// so within the last second. New is false then.
func (s *State) DenyToken(ctx context.Context, user storage.UserTag, id storage.TokenID, until time.Time) (isNew bool, err error) {
	key := endKey{user: user, kind: storage.DenyToken, id: id}
	if s.ends.recently(key, s.clock()) {
		return false, nil
	}
	ctx, done := storage.Decisive(ctx)
	defer done()
	err = s.Store.DenyToken(ctx, user, id, until)
	if err := s.Denylist.Settle(ctx, user, true, err); err != nil {
		return false, err
	}
	s.ends.add(key, s.clock())
	return true, nil
}

// NewAttempt draws the mark by which the store knows a call that is sent again.
func (s *State) NewAttempt() storage.Attempt {
	var a storage.Attempt
	_, _ = rand.Read(a[:]) // never fails
	copy(a[:], s.node[:])
	return a
}

// EndedLately reports whether this node has ended the same, and told the others,
// within the last second.
func (s *State) EndedLately(r storage.EndRequest) bool {
	key, lasts := endKeyOf(r)
	return lasts && s.ends.recently(key, s.clock())
}
