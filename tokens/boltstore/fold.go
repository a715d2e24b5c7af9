package boltstore

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// boundDenials sees to it that a user's denylist stays short: see
// storage.MaxDenials. It counts no further, and folds once in some hundred entries.
func (t *txn) boundDenials(user []byte) error {
	n := 1 // the one that is being written
	c := t.bucket(denials).Cursor()
	for k, _ := c.Seek(user); bytes.HasPrefix(k, user) && n <= storage.MaxDenials; k, _ = c.Next() {
		n++
	}
	if n <= storage.MaxDenials {
		return nil
	}
	return t.foldDenials(user)
}

// foldDenials replaces entries by one that denies all that was issued until
// now; those that may still keep something from beginning stay for a while, the
// newest of them: lua/denylist.lua does the same. All live about equally long, so
// that the end of an entry tells its age; but withdrawals and ended sessions stay for longer, since
// the code of a device does, and what replaces others lives as long as they.
func (t *txn) foldDenials(user []byte) error {
	var newest, latest time.Time
	err := t.eachDenial(user, func(kind storage.DenialKind, _ []byte, d denialRecord) {
		latest = later(latest, d.until)
		if kind != storage.DenyClient && kind != storage.DenyIssued {
			newest = later(newest, d.until)
		}
	})
	if err != nil {
		return err
	}
	type kept struct {
		key   []byte
		until time.Time
	}
	var stay []kept
	old := newest.Add(-storage.FoldAfter)
	err = t.eachDenial(user, func(kind storage.DenialKind, key []byte, d denialRecord) {
		single := kind == storage.DenyToken || kind == storage.DenyIssued || kind == storage.DenyFamily && d.lived && !d.reused
		codes := kind == storage.DenyClient || kind == storage.DenySession
		if single || !codes && !d.until.After(old) {
			t.remove(denials, key)
		} else {
			stay = append(stay, kept{key, d.until})
		}
	})
	if err != nil {
		return err
	}
	m, err := t.marks(storage.UserTag(user))
	if err != nil {
		return err
	}
	if len(stay) > storage.MaxKeptByFold {
		slices.SortFunc(stay, func(a, b kept) int { return cmp.Or(b.until.Compare(a.until), bytes.Compare(a.key, b.key)) })
		for _, k := range stay[storage.MaxKeptByFold:] {
			t.remove(denials, k.key)
		}
		m.folded = t.now.Truncate(time.Second)
		t.put(denials, marksKey(storage.UserTag(user)), m.encode())
	}
	folded := storage.Denial{Kind: storage.DenyIssued, ID: storage.IssuedID(later(t.now, m.issued))}
	t.put(denials, denialKey(storage.UserTag(user), byte(folded.Kind), folded.Name()), denialRecord{until: latest}.encode())
	return nil
}

// eachDenial reads the entries of a user but for the one that disables.
func (t *txn) eachDenial(user []byte, f func(kind storage.DenialKind, key []byte, d denialRecord)) error {
	return t.scan(denials, user, func(k, v []byte) error {
		kind := k[len(user)]
		if kind == kindMarks || kind == byte(storage.DenyUser) {
			return nil
		}
		var d denialRecord
		if err := d.decode(v); err != nil {
			return err
		}
		f(storage.DenialKind(kind), k, d)
		return nil
	})
}
