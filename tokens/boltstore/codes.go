package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// PutCode implements storage.Codes.
func (s *Store) PutCode(ctx context.Context, r storage.PutRequest) (storage.PutOutcome, error) {
	r.Body = bytes.Clone(r.Body) // the caller may leave before the commit
	return decide(ctx, s, "put_code", func(t *txn) (storage.PutOutcome, error) { return putCode(t, r) })
}

func putCode(t *txn, r storage.PutRequest) (storage.PutOutcome, error) {
	var session sessionRecord
	live, err := t.read(sessions, userKey(r.User, r.Session[:]), &session)
	if err != nil || !live || session.over(t.now, 0) {
		return storage.PutNothing, err
	}
	if ended, err := t.everyoneEnded(session.begun); err != nil || ended {
		return storage.PutNothing, err
	}
	key := userKey(r.User, r.ID[:])
	var c codeRecord
	found, err := t.read(codes, key, &c)
	if err != nil {
		return storage.PutNothing, err
	}
	if found && t.now.Before(c.expires) {
		return storage.PutKept, nil
	}
	if same, err := t.agree(r); err != nil || !same {
		return storage.PutOtherConsent, err
	}
	if err := t.makeRoom(r.User); err != nil {
		return storage.PutNothing, err
	}
	marks, err := t.marks(r.User)
	if err != nil {
		return storage.PutNothing, err
	}
	if marks.withdrawn, err = t.withdrawn(r.User, r.Client); err != nil {
		return storage.PutNothing, err
	}
	put := t.now
	if !later(marks.before, marks.withdrawn).Before(t.now.Truncate(time.Second)) {
		put = t.issueAt(r.User, marks, time.Time{})
	}
	c = codeRecord{put: put, expires: t.now.Add(r.Lifetime), session: cmp.Or(r.Begins, r.Session), owner: r.Owner}
	t.put(codes, key, c.encode())
	t.put(codeBodies, key, bodyRecord{expires: c.expires, body: r.Body}.encode())
	return storage.PutKept, nil
}

// heldCode is a code of a user who has too many.
type heldCode struct {
	codeRecord
	id   storage.CodeID
	body bool // it is kept
}

// makeRoom sees to it that a user has room for one more code, as lua/put_code.lua
// does: when there is none, what has expired goes, and where that is not enough,
// the bodies of spent codes, then good codes, then spent ones, the oldest first,
// down to three quarters of what there may be.
func (t *txn) makeRoom(user storage.UserTag) error {
	if t.countUp(codeBodies, user, storage.MaxCodeBodies) < storage.MaxCodeBodies && t.countUp(codes, user, storage.MaxCodes) < storage.MaxCodes {
		return nil
	}
	held, bodies, err := t.heldCodes(user)
	if err != nil {
		return err
	}
	slices.SortFunc(held, func(a, b heldCode) int {
		if a.taken.IsZero() != b.taken.IsZero() {
			return cmp.Compare(b.taken.UnixMilli(), a.taken.UnixMilli()) // spent before good
		}
		if a.taken.IsZero() {
			return cmp.Or(a.expires.Compare(b.expires), bytes.Compare(a.id[:], b.id[:]))
		}
		return cmp.Or(a.taken.Compare(b.taken), bytes.Compare(a.id[:], b.id[:]))
	})
	n, dropBodies := len(held), bodies >= storage.MaxCodeBodies
	for _, c := range held {
		if dropBodies && bodies > storage.MaxCodeBodies*3/4 && c.body {
			t.remove(codeBodies, userKey(user, c.id[:]))
			bodies--
			if c.taken.IsZero() {
				t.remove(codes, userKey(user, c.id[:]))
				n--
			}
		}
	}
	dropCodes := n >= storage.MaxCodes
	for _, c := range held {
		if dropCodes && n > storage.MaxCodes*3/4 && !c.taken.IsZero() {
			t.remove(codes, userKey(user, c.id[:]))
			t.remove(codeBodies, userKey(user, c.id[:]))
			n--
		}
	}
	return nil
}

// heldCodes returns the codes of a user that have not expired, and how many of
// them have a body. Everything else it removes.
func (t *txn) heldCodes(user storage.UserTag) (held []heldCode, bodies int, err error) {
	kept := make(map[storage.CodeID]bool)
	err = t.scan(codeBodies, user[:], func(k, _ []byte) error {
		kept[storage.CodeID(k[len(user):])] = true
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	err = t.scan(codes, user[:], func(k, v []byte) error {
		c := heldCode{id: storage.CodeID(k[len(user):])}
		if err := c.decode(v); err != nil {
			return err
		}
		if !t.now.Before(c.expires) {
			t.remove(codes, k)
			return nil
		}
		if c.body = kept[c.id]; c.body {
			bodies++
			delete(kept, c.id)
		}
		held = append(held, c)
		return nil
	})
	for id := range kept {
		t.remove(codeBodies, userKey(user, id[:]))
	}
	return held, bodies, err
}

// TakeCode implements storage.Codes.
func (s *Store) TakeCode(ctx context.Context, r storage.TakeRequest) (storage.TakeResult, error) {
	return decide(ctx, s, "take_code", func(t *txn) (storage.TakeResult, error) { return takeCode(t, r) })
}

func takeCode(t *txn, r storage.TakeRequest) (storage.TakeResult, error) {
	marks, err := t.marks(r.User)
	if err != nil {
		return storage.TakeResult{}, err
	}
	key := userKey(r.User, r.ID[:])
	if marks.withdrawn, err = t.withdrawn(r.User, r.Client); err != nil {
		return storage.TakeResult{}, err
	}
	c, found, err := t.code(r.User, r.ID, marks)
	if err != nil || !found {
		return storage.TakeResult{Outcome: storage.CodeUnknown, Now: t.now}, err
	}
	var text bodyRecord
	kept, err := t.read(codeBodies, key, &text)
	if err != nil {
		return storage.TakeResult{}, err
	}
	res := storage.TakeResult{Outcome: storage.CodeTaken, TakenAt: c.taken, Now: t.now}
	switch {
	case c.taken.IsZero() && !kept:
		return storage.TakeResult{}, errBadRecord
	case c.taken.IsZero():
		c.taken, c.attempt, c.expires = t.now, r.Attempt, t.now.Add(r.DenyFor)
		t.put(codes, key, c.encode())
		res.TakenAt = c.taken
	case c.attempt == r.Attempt && kept: // the same call sent again
	default:
		res.Outcome, res.Owner, res.Mine = storage.CodeSpent, c.owner, c.attempt == r.Attempt
		return res, nil
	}
	user, _, err := t.profile(r.User)
	if err != nil {
		return storage.TakeResult{}, err
	}
	if res.Profile, err = t.whole(r.User, user); err != nil {
		return storage.TakeResult{}, err
	}
	res.Body = bytes.Clone(text.body)
	begunAfter, err := t.begunAfter(r.Client, r.BegunAfter)
	if err != nil {
		return storage.TakeResult{}, err
	}
	res.IssueAt = t.issueAt(r.User, marks, begunAfter)
	if err := t.noteClient(r.User, c.session, r.Client, r.Note); err != nil {
		return storage.TakeResult{}, err
	}
	res.Ended, err = t.watermark(storage.Everyone)
	return res, err
}

// code reads a code, good or spent. One that has expired, whose session was
// ended, or that a fold of the denylist or a withdrawal stands against, is not found.
func (t *txn) code(user storage.UserTag, id storage.CodeID, marks marksRecord) (c codeRecord, found bool, err error) {
	found, err = t.read(codes, userKey(user, id[:]), &c)
	if err != nil || !found || !t.now.Before(c.expires) || !c.put.After(later(marks.before, later(marks.folded, marks.withdrawn))) {
		return c, false, err
	}
	ended, err := t.sessionEnded(user, c.session)
	return c, !ended, err
}
