package boltstore

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// End implements storage.Families.
func (s *Store) End(ctx context.Context, r storage.EndRequest) (storage.EndResult, error) {
	return decide(ctx, s, "end", func(t *txn) (storage.EndResult, error) { return end(t, r) })
}

func end(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	switch r.Scope {
	case storage.EndFamily:
		return endFamily(t, r)
	case storage.EndSession:
		return endSession(t, r)
	case storage.EndSessionOnly:
		key := userKey(r.User, r.Session[:])
		there := t.has(sessions, key)
		t.remove(sessions, key)
		return storage.EndResult{Now: t.now, New: there}, nil
	case storage.EndUser:
		return endUser(t, r)
	case storage.DisableUser:
		return disableUser(t, r)
	case storage.EndConsent:
		return endConsent(t, r)
	default:
		return storage.EndResult{}, fmt.Errorf("ending a grant: unknown scope %d", r.Scope)
	}
}

// endFamily denies the family whether it is there or not, so that it can't begin late.
func endFamily(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	res := storage.EndResult{Now: t.now}
	f, found, err := t.family(r.User, r.Family)
	if err != nil {
		return storage.EndResult{}, err
	}
	was, denied, err := t.denial(denialKey(r.User, byte(storage.DenyFamily), r.Family[:]))
	if err != nil {
		return storage.EndResult{}, err
	}
	again := denied && was.attempt == r.Attempt // the same call sent again
	d := denialRecord{until: storage.EndOf(t.now, r.DenyFor), attempt: r.Attempt, lived: found && !f.Dead(t.now)}
	if d.lived || again && was.lived {
		res.Families = []storage.FamilyID{r.Family}
	}
	res.New = found || !denied || again
	return res, t.endFamily(r.User, r.Family, d)
}

// endSession ends the session, those with the same root and their families,
// and denies it as long as access tokens live: some came without a refresh
// token, and a code of this session may be on its way to become a family.
func endSession(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	// What this very call has ended when it was first sent.
	ended, err := t.endedBy(r.User, r.Attempt)
	if err != nil {
		return storage.EndResult{}, err
	}
	root, removed, err := t.removeSessions(r.User, r.Session)
	if err != nil {
		return storage.EndResult{}, err
	}
	was, denied, err := t.denial(denialKey(r.User, byte(storage.DenySession), root[:]))
	if err != nil {
		return storage.EndResult{}, err
	}
	fresh := removed > 0 || !denied || was.attempt == r.Attempt
	until := storage.EndOf(t.now, r.DenyFor)
	err = t.eachFamily(r.User, func(f storage.Family) error {
		if f.Session != root {
			return nil
		}
		fresh = true
		d := denialRecord{until: until, attempt: r.Attempt, lived: !f.Dead(t.now)}
		if d.lived {
			ended = append(ended, f.ID)
		}
		return t.endFamily(r.User, f.ID, d)
	})
	if err != nil {
		return storage.EndResult{}, err
	}
	t.remove(upstreams, userKey(r.User, root[:]))
	if err := t.deny(denialKey(r.User, byte(storage.DenySession), root[:]), denialRecord{until: until, attempt: r.Attempt}); err != nil {
		return storage.EndResult{}, err
	}
	return storage.EndResult{Families: ended, Now: t.now, New: fresh}, nil
}

// removeSessions removes a session, which may be given by its root, and all
// with the same root, which it returns with their number.
func (t *txn) removeSessions(user storage.UserTag, id storage.SessionID) (root storage.SessionID, n int, err error) {
	var r sessionRecord
	if _, err := t.read(sessions, userKey(user, id[:]), &r); err != nil {
		return root, 0, err
	}
	root = cmp.Or(r.root, id)
	err = t.scan(sessions, user[:], func(k, v []byte) error {
		var r sessionRecord
		if err := r.decode(v); err != nil {
			return err
		}
		if cmp.Or(r.root, storage.SessionID(k[len(user):])) == root {
			t.remove(sessions, k)
			n++
		}
		return nil
	})
	return root, n, err
}

// endUser ends all that the user has. Its families need no entry each: Before
// denies all their tokens, and no login until then begins another one.
func endUser(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	marks, err := t.marks(r.User)
	if err != nil {
		return storage.EndResult{}, err
	}
	if marks.before.IsZero() || marks.attempt != r.Attempt { // else it is the same call sent again; a login in between stays
		if marks, err = endAll(t, r.User, marks, r.DenyFor, r.Attempt); err != nil {
			return storage.EndResult{}, err
		}
	}
	return storage.EndResult{Families: marks.ended, Now: marks.now, New: true}, nil
}

// endAll removes a user's grants and marks everything from before as ended.
func endAll(t *txn, user storage.UserTag, marks marksRecord, denyFor time.Duration, attempt storage.Attempt) (marksRecord, error) {
	marks.ended = nil
	err := t.eachFamily(user, func(f storage.Family) error {
		if !f.Dead(t.now) {
			marks.ended = append(marks.ended, f.ID)
		}
		return nil
	})
	if err != nil {
		return marks, err
	}
	if err := removeGrants(t, user); err != nil {
		return marks, err
	}
	// A token that is dated ahead of the clock is reached as well.
	marks.before = later(t.now.Truncate(time.Second), later(marks.before, marks.issued))
	marks.now = later(t.now, marks.before)
	marks.until = later(marks.until, storage.EndOf(marks.now, denyFor))
	marks.attempt = attempt
	t.put(denials, marksKey(user), marks.encode())
	return marks, nil
}

// removeGrants removes a user's sessions, codes and families, and what providers gave.
func removeGrants(t *txn, user storage.UserTag) error {
	for _, bucket := range []bucketID{sessions, codes, codeBodies, families, upstreams} {
		if err := t.removeAll(bucket, user[:]); err != nil {
			return err
		}
	}
	return nil
}
