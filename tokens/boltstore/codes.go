package boltstore

import (
	"bytes"
	"cmp"
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// PutCode implements tokens.Codes.
func (s *Store) PutCode(ctx context.Context, r tokens.PutRequest) (kept bool, err error) {
	r.Body = bytes.Clone(r.Body) // the caller may leave before the commit
	return decide(ctx, s, "put_code", func(t *txn) (bool, error) { return putCode(t, r) })
}

func putCode(t *txn, r tokens.PutRequest) (kept bool, err error) {
	var session sessionRecord
	live, err := t.read(sessions, userKey(r.User, r.Session[:]), &session)
	if err != nil || !live || session.over(t.now, 0) {
		return false, err
	}
	if ended, err := t.everyoneEnded(session.authTime); err != nil || ended {
		return false, err
	}
	_, found, err := t.code(r.User, r.ID)
	if err == nil && !found {
		c := codeRecord{expires: t.now.Add(r.Lifetime), session: cmp.Or(r.Begins, r.Session), body: r.Body}
		t.put(codes, userKey(r.User, r.ID[:]), c.encode())
	}
	return err == nil, err
}

// TakeCode implements tokens.Codes.
func (s *Store) TakeCode(ctx context.Context, r tokens.TakeRequest) (tokens.TakeResult, error) {
	return decide(ctx, s, "take_code", func(t *txn) (tokens.TakeResult, error) { return takeCode(t, r) })
}

func takeCode(t *txn, r tokens.TakeRequest) (tokens.TakeResult, error) {
	c, found, err := t.code(r.User, r.ID)
	if err != nil || !found {
		return tokens.TakeResult{Outcome: tokens.CodeUnknown, Now: t.now}, err
	}
	res := tokens.TakeResult{Outcome: tokens.CodeSpent, Body: bytes.Clone(c.body), TakenAt: c.taken, Now: t.now}
	switch {
	case c.taken.IsZero():
		c.taken, c.attempt, c.expires = t.now, r.Attempt, t.now.Add(r.DenyFor)
		t.put(codes, userKey(r.User, r.ID[:]), c.encode())
		res.TakenAt = c.taken
	case c.attempt == r.Attempt: // the same call sent again
	default:
		return res, nil
	}
	user, _, err := t.profile(r.User)
	if err != nil {
		return tokens.TakeResult{}, err
	}
	marks, err := t.marks(r.User)
	if err != nil {
		return tokens.TakeResult{}, err
	}
	res.Outcome = tokens.CodeTaken
	res.Profile = bytes.Clone(user.profile)
	begunAfter, err := t.begunAfter(r.Client, r.BegunAfter)
	if err != nil {
		return tokens.TakeResult{}, err
	}
	res.IssueAt = t.issueAt(r.User, marks, begunAfter)
	res.Ended, err = t.watermark(tokens.Everyone)
	return res, err
}

// code reads a code, good or spent, whose body points into the file. One that
// has expired, or whose session was ended, is not found.
func (t *txn) code(user tokens.UserTag, id tokens.CodeID) (c codeRecord, found bool, err error) {
	found, err = t.read(codes, userKey(user, id[:]), &c)
	if err != nil || !found || !t.now.Before(c.expires) {
		return c, false, err
	}
	ended, err := t.sessionEnded(user, c.session)
	return c, !ended, err
}
