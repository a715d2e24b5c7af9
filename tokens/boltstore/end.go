package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// End implements storage.Families.
func (s *Store) End(ctx context.Context, r storage.EndRequest) (storage.EndResult, error) {
	return decide(ctx, s, "end", func(t *txn) (storage.EndResult, error) { return end(t, r) })
}

func end(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	if r.Before = r.Before.Truncate(time.Second); !r.Before.Before(t.now.Truncate(time.Second)) {
		r.Before = time.Time{}
	}
	switch r.Scope {
	case storage.EndFamily:
		return endFamily(t, r)
	case storage.EndSession:
		return endSession(t, r)
	case storage.EndUser:
		if !r.Before.IsZero() {
			return endUserBefore(t, r)
		}
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
	if err := t.endFamily(r.User, r.Family, d); err != nil || !found || !r.Tell {
		return res, err
	}
	last := true
	err = t.eachFamily(r.User, func(other storage.Family) error {
		last = last && (other.ID == f.ID || other.Client != f.Client || other.Session != f.Session)
		return nil
	})
	if err == nil && last {
		res.Told, res.Dropped, err = t.tell(r.User, []storage.SessionID{f.Session}, f.Client)
	}
	return res, err
}

// endSession ends the session, those with the same root and their families, or all sessions
// of the user for EndUser, as far as the sessions were begun until r.Before. One of which nothing goes on
// is denied as long as access tokens live: some came without a refresh token, and a code of this
// session may be on its way to become a family.
func endSession(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	// What this very call has ended when it was first sent.
	ended, err := t.endedBy(r.User, r.Attempt)
	if err != nil {
		return storage.EndResult{}, err
	}
	root, all := storage.SessionID{}, r.Scope == storage.EndUser
	if !all {
		if root, err = t.wholeRoot(r.User, r.Session); err != nil {
			return storage.EndResult{}, err
		}
	}
	given, err := t.givenAt(r, root)
	if err != nil {
		return storage.EndResult{}, err
	}
	reached := reachedRoots{before: r.Before, over: make(map[storage.SessionID]bool), goesOn: make(map[storage.SessionID]time.Time)}
	until := storage.EndOf(t.now, r.DenyFor)
	fresh, err := t.removeSessions(r, root, all, reached)
	if err != nil {
		return storage.EndResult{}, err
	}
	err = t.eachFamily(r.User, func(f storage.Family) error {
		if !all && f.Session != root || !reached.family(f) {
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
	if !all && reached.goesOn[root].IsZero() {
		reached.over[root] = true
		was, denied, err := t.denial(denialKey(r.User, byte(storage.DenySession), root[:]))
		if err != nil {
			return storage.EndResult{}, err
		}
		fresh = fresh || !denied || was.attempt == r.Attempt
	}
	told, dropped, err := t.endRoots(r, reached.ended(), until)
	if err != nil {
		return storage.EndResult{}, err
	}
	return storage.EndResult{Families: ended, Now: t.now, New: fresh || len(ended) > 0, Told: told, Dropped: dropped, Given: given}, nil
}

// endRoots denies the sessions of which nothing goes on, forgets what a provider gave for
// them, and has the applications told.
func (t *txn) endRoots(r storage.EndRequest, roots []storage.SessionID, until time.Time) (told, dropped int, err error) {
	for _, root := range roots {
		t.remove(upstreams, userKey(r.User, root[:]))
		if err := t.deny(denialKey(r.User, byte(storage.DenySession), root[:]), denialRecord{until: until, attempt: r.Attempt}); err != nil {
			return 0, 0, err
		}
	}
	return t.tell(r.User, roots, storage.ClientTag{})
}

// reachedRoots are the roots of which something ends, and those with a session that was
// begun after before and goes on, with the time when that was.
type reachedRoots struct {
	before time.Time // zero for no limit
	over   map[storage.SessionID]bool
	goesOn map[storage.SessionID]time.Time
}

// session notes one of a root, and reports whether it ends.
func (r reachedRoots) session(root storage.SessionID, begun time.Time) bool {
	if !r.before.IsZero() && begun.After(r.before) {
		if since := r.goesOn[root]; since.IsZero() || begun.Before(since) {
			r.goesOn[root] = begun
		}
		return false
	}
	r.over[root] = true
	return true
}

// family notes one, when all sessions are noted, and reports whether it ends: one that an
// ended session has begun late ends with it.
func (r reachedRoots) family(f storage.Family) bool {
	if f.Session == (storage.SessionID{}) {
		return r.before.IsZero() || !f.Created.After(r.before)
	}
	if since := r.goesOn[f.Session]; !since.IsZero() && !f.Created.Before(since) {
		return false
	}
	r.over[f.Session] = true
	return true
}

// ended returns the roots of which nothing goes on, in order.
func (r reachedRoots) ended() []storage.SessionID {
	var roots []storage.SessionID
	for root := range r.over {
		if r.goesOn[root].IsZero() {
			roots = append(roots, root)
		}
	}
	slices.SortFunc(roots, func(a, b storage.SessionID) int { return bytes.Compare(a[:], b[:]) })
	return roots
}

// wholeRoot returns the root of a session, which may be given by its root.
func (t *txn) wholeRoot(user storage.UserTag, id storage.SessionID) (storage.SessionID, error) {
	var r sessionRecord
	_, err := t.read(sessions, userKey(user, id[:]), &r)
	return cmp.Or(r.root, id), err
}

// removeSessions removes those of a root, or all, as far as they were begun in time, and
// reports whether there were any.
func (t *txn) removeSessions(end storage.EndRequest, root storage.SessionID, all bool, reached reachedRoots) (removed bool, err error) {
	err = t.scan(sessions, end.User[:], func(k, v []byte) error {
		var r sessionRecord
		if err := r.decode(v); err != nil {
			return err
		}
		of := cmp.Or(r.root, storage.SessionID(k[len(end.User):]))
		if (all || of == root) && reached.session(of, r.begun) {
			t.remove(sessions, k)
			removed = true
		}
		return nil
	})
	return removed, err
}

// endUserBefore ends all sessions of a user as of a moment that has passed, and what is still
// to begin in one of them.
func endUserBefore(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	res, err := endSession(t, r)
	if err != nil {
		return res, err
	}
	marks, err := t.marks(r.User)
	if err != nil || !marks.before.Before(r.Before) {
		return res, err
	}
	marks.before, marks.now, marks.attempt, marks.ended = r.Before, r.Before, r.Attempt, nil
	marks.until = later(marks.until, storage.EndOf(t.now, r.DenyFor))
	t.put(denials, marksKey(r.User), marks.encode())
	res.New = true
	return res, nil
}

// endUser ends all that the user has. Its families need no entry each: Before
// denies all their tokens, and no login until then begins another one.
func endUser(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	marks, err := t.marks(r.User)
	if err != nil {
		return storage.EndResult{}, err
	}
	var told, dropped int
	if marks.before.IsZero() || marks.attempt != r.Attempt { // else it is the same call sent again; a login in between stays
		if marks, told, dropped, err = endAll(t, r.User, marks, r.DenyFor, r.Attempt); err != nil {
			return storage.EndResult{}, err
		}
	}
	return storage.EndResult{Families: marks.ended, Now: marks.now, New: true, Told: told, Dropped: dropped}, nil
}

// endAll removes a user's grants, marks everything from before as ended, and has the
// applications told.
func endAll(t *txn, user storage.UserTag, marks marksRecord, denyFor time.Duration, attempt storage.Attempt) (_ marksRecord, told, dropped int, err error) {
	marks.ended = nil
	err = t.eachFamily(user, func(f storage.Family) error {
		if !f.Dead(t.now) {
			marks.ended = append(marks.ended, f.ID)
		}
		return nil
	})
	if err != nil {
		return marks, 0, 0, err
	}
	if err := removeGrants(t, user); err != nil {
		return marks, 0, 0, err
	}
	roots, err := t.notedRoots(user)
	if err != nil {
		return marks, 0, 0, err
	}
	if told, dropped, err = t.tell(user, roots, storage.ClientTag{}); err != nil {
		return marks, 0, 0, err
	}
	// A token that is dated ahead of the clock is reached as well.
	marks.before = later(t.now.Truncate(time.Second), later(marks.before, marks.issued))
	marks.now = later(t.now, marks.before)
	marks.until = later(marks.until, storage.EndOf(marks.now, denyFor))
	marks.attempt = attempt
	t.put(denials, marksKey(user), marks.encode())
	return marks, told, dropped, nil
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
