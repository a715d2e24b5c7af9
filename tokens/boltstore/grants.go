package boltstore

import (
	"bytes"
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// PutGrant implements storage.Families. The id is the text's hash, so what is
// there already is the same, and is only kept longer.
func (s *Store) PutGrant(ctx context.Context, id storage.GrantID, text []byte, keep time.Duration) error {
	text = bytes.Clone(text) // the caller may leave before the commit
	return s.call(ctx, "put_grant", func(f *file) error {
		kept, err := viewIn(s, f, func(t *txn) (bool, error) { return t.keepsGrant(id, keep) })
		if err != nil || kept {
			return err
		}
		_, err = decideIn(ctx, f, func(t *txn) (struct{}, error) {
			kept, err := t.keepsGrant(id, keep)
			if err == nil && !kept {
				t.put(grants, id[:], grantRecord{until: storage.EndOf(t.now, keep), text: text}.encode())
			}
			return struct{}{}, err
		})
		return err
	})
}

// keepsGrant reports whether a grant is kept as long as that.
func (t *txn) keepsGrant(id storage.GrantID, keep time.Duration) (bool, error) {
	var g grantRecord
	found, err := t.read(grants, id[:], &g)
	if err != nil || !found {
		return false, err
	}
	return g.until.IsZero() || keep > 0 && !g.until.Before(storage.EndOf(t.now, keep)), nil
}

// Grant implements storage.Families.
func (s *Store) Grant(ctx context.Context, id storage.GrantID) ([]byte, error) {
	texts, err := s.Grants(ctx, []storage.GrantID{id})
	if err != nil {
		return nil, err
	}
	return texts[0], nil
}

// Grants implements storage.Families.
func (s *Store) Grants(ctx context.Context, ids []storage.GrantID) ([][]byte, error) {
	return view(ctx, s, "grant", func(t *txn) ([][]byte, error) {
		texts := make([][]byte, len(ids))
		for i, id := range ids {
			var g grantRecord
			found, err := t.read(grants, id[:], &g)
			if err != nil {
				return nil, err
			}
			if found && !g.over(t.now) {
				texts[i] = bytes.Clone(g.text)
			}
		}
		return texts, nil
	})
}
