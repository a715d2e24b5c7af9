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

// CreateFamily implements storage.Families.
func (s *Store) CreateFamily(ctx context.Context, r storage.CreateRequest) (storage.CreateResult, error) {
	return decide(ctx, s, "create_family", func(t *txn) (storage.CreateResult, error) { return createFamily(t, r) })
}

func createFamily(t *txn, r storage.CreateRequest) (storage.CreateResult, error) {
	marks, err := t.marks(r.User)
	if err != nil {
		return storage.CreateResult{}, err
	}
	if marks.withdrawn, err = t.withdrawn(r.User, r.Client); err != nil {
		return storage.CreateResult{}, err
	}
	r.BegunAfter, err = t.begunAfter(r.Client, r.BegunAfter)
	if err != nil {
		return storage.CreateResult{}, err
	}
	if ended, err := t.everyoneEnded(r.Begun); err != nil || ended {
		return storage.CreateResult{}, err
	}
	if f, found, err := t.family(r.User, r.ID); err != nil {
		return storage.CreateResult{}, err
	} else if found {
		return createdBefore(t, r, f, marks)
	}
	if may, err := mayBegin(t, r, marks); err != nil || !may {
		return storage.CreateResult{}, err
	}
	evicted, err := evict(t, r)
	if err != nil {
		return storage.CreateResult{}, err
	}
	at := t.issueAt(r.User, marks, r.BegunAfter)
	f := storage.Begin(r, t.now, at)
	if err := t.putFamily(r.User, f); err != nil {
		return storage.CreateResult{}, err
	}
	return storage.CreateResult{Created: true, Family: f, Evicted: evicted, IssueAt: at}, nil
}

// createdBefore answers for a family that is there already: the same call sent
// again gets the same answer, anybody else nothing.
func createdBefore(t *txn, r storage.CreateRequest, f storage.Family, marks marksRecord) (storage.CreateResult, error) {
	if f.Attempt != r.Attempt || f.Generation != 1 || !f.Created.After(r.BegunAfter) {
		return storage.CreateResult{}, nil
	}
	evicted, err := t.endedBy(r.User, r.Attempt)
	if err != nil {
		return storage.CreateResult{}, err
	}
	at := t.issueAt(r.User, marks, r.BegunAfter)
	return storage.CreateResult{Created: true, Family: f, Evicted: evicted, IssueAt: at}, nil
}

// mayBegin reports whether neither the family nor what it comes from was ended.
func mayBegin(t *txn, r storage.CreateRequest, marks marksRecord) (bool, error) {
	if !marks.before.IsZero() && !r.Begun.After(marks.before) {
		return false, nil
	}
	if taken := r.Taken.Truncate(time.Second); !taken.IsZero() && !taken.After(marks.folded) {
		return false, nil
	}
	if !r.Issued.IsZero() && !r.Issued.Truncate(time.Second).After(marks.withdrawn) {
		return false, nil
	}
	if disabled, err := t.disabled(r.User); err != nil || disabled {
		return false, err
	}
	_, ended, err := t.denial(denialKey(r.User, byte(storage.DenyFamily), r.ID[:]))
	if err != nil || ended {
		return false, err
	}
	ended, err = t.sessionEnded(r.User, r.Session)
	return !ended, err
}

// sessionEnded reports whether a session was ended by EndSession, so that
// nothing may begin in it any more.
func (t *txn) sessionEnded(user storage.UserTag, id storage.SessionID) (bool, error) {
	if id == (storage.SessionID{}) {
		return false, nil
	}
	_, ended, err := t.denial(denialKey(user, byte(storage.DenySession), id[:]))
	return ended, err
}

// evict ends the oldest families of the same client, so that with the new one at most
// MaxActive live, and then the oldest of all beyond storage.MaxFamilies. What is
// dead goes as well: the sweeper may be a minute behind somebody in a hurry.
func evict(t *txn, r storage.CreateRequest) ([]storage.FamilyID, error) {
	var same, others []storage.Family
	err := t.eachFamily(r.User, func(f storage.Family) error {
		switch limited := f.Limited(r.Lifetime, r.IdleLifetime); {
		case f.Dead(t.now):
			t.remove(families, userKey(r.User, f.ID[:]))
		case !f.Client.Together(r.Client) || !f.Created.After(r.BegunAfter):
			others = append(others, f)
		case !limited.Dead(t.now):
			same = append(same, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	evicted, same := oldest(same, max(1, r.MaxActive))
	more, _ := oldest(append(others, same...), storage.MaxFamilies)
	var ids []storage.FamilyID
	for _, f := range append(evicted, more...) {
		ids = append(ids, f.ID)
		d := denialRecord{until: storage.EndOf(t.now, r.DenyFor), attempt: r.Attempt, lived: true}
		if err := t.endFamily(r.User, f.ID, d); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(ids, func(a, b storage.FamilyID) int { return bytes.Compare(a[:], b[:]) })
	return ids, nil
}

// oldest splits families into the oldest, which have to go so that with one more
// there are `most`, and the others.
func oldest(live []storage.Family, most int) (gone, stay []storage.Family) {
	if len(live) < most {
		return nil, live
	}
	slices.SortFunc(live, byAge)
	n := len(live) + 1 - most
	return live[:n:n], live[n:]
}

// byAge orders families by the second of their creation; within one, by the
// time of their last rotation.
func byAge(a, b storage.Family) int {
	return cmp.Or(a.Created.Compare(b.Created), a.Rotated.Compare(b.Rotated), bytes.Compare(a.ID[:], b.ID[:]))
}

// ListFamilies implements storage.Families.
func (s *Store) ListFamilies(ctx context.Context, user storage.UserTag) ([]storage.Family, error) {
	return view(ctx, s, "list_families", func(t *txn) ([]storage.Family, error) {
		var live []storage.Family
		err := t.eachFamily(user, func(f storage.Family) error {
			if !f.Dead(t.now) {
				live = append(live, f)
			}
			return nil
		})
		slices.SortFunc(live, byAge)
		return live, err
	})
}

// LiveFamily implements storage.Families.
func (s *Store) LiveFamily(ctx context.Context, user storage.UserTag, id storage.FamilyID) (storage.Family, bool, error) {
	f, err := view(ctx, s, "live_family", func(t *txn) (*storage.Family, error) {
		f, found, err := t.family(user, id)
		if err != nil || !found || f.Dead(t.now) {
			return nil, err
		}
		return &f, nil
	})
	if err != nil || f == nil {
		return storage.Family{}, false, err
	}
	return *f, true, nil
}

// family reads one family.
func (t *txn) family(user storage.UserTag, id storage.FamilyID) (f storage.Family, found bool, err error) {
	v, err := t.get(families, userKey(user, id[:]))
	if v == nil {
		return f, false, err
	}
	f.ID = id
	return f, true, f.UnmarshalBinary(v)
}

// putFamily writes one family.
func (t *txn) putFamily(user storage.UserTag, f storage.Family) error {
	v, err := f.MarshalBinary()
	if err != nil {
		return fmt.Errorf("writing family record: %w", err)
	}
	t.put(families, userKey(user, f.ID[:]), v)
	return nil
}

// eachFamily reads all families of a user, dead ones too, in the order of their ids.
func (t *txn) eachFamily(user storage.UserTag, each func(storage.Family) error) error {
	return t.scan(families, user[:], func(k, v []byte) error {
		f := storage.Family{ID: storage.FamilyID(k[len(user):])}
		if err := f.UnmarshalBinary(v); err != nil {
			return err
		}
		return each(f)
	})
}

// endFamily forgets a family and denies its access tokens.
func (t *txn) endFamily(user storage.UserTag, id storage.FamilyID, d denialRecord) error {
	t.remove(families, userKey(user, id[:]))
	return t.deny(denialKey(user, byte(storage.DenyFamily), id[:]), d)
}

// endedBy returns the families that an attempt has ended, in the order of their ids.
func (t *txn) endedBy(user storage.UserTag, attempt storage.Attempt) ([]storage.FamilyID, error) {
	var ended []storage.FamilyID
	prefix := append(user[:len(user):len(user)], byte(storage.DenyFamily))
	err := t.scan(denials, prefix, func(k, v []byte) error {
		var d denialRecord
		if err := d.decode(v); err != nil {
			return err
		}
		if d.lived && d.attempt == attempt {
			ended = append(ended, storage.FamilyID(k[len(prefix):]))
		}
		return nil
	})
	return ended, err
}
