package boltstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Unanswered implements storage.Families.
func (s *Store) Unanswered(ctx context.Context, r storage.UnansweredRequest) error {
	_, err := decide(ctx, s, "unanswered", func(t *txn) (struct{}, error) {
		f, found, err := t.family(r.User, r.Family)
		if err != nil || !found {
			return struct{}{}, err
		}
		if marked, owed := f.Unanswered(r); owed && marked != f {
			return struct{}{}, t.putFamily(r.User, marked)
		}
		return struct{}{}, nil
	})
	return err
}
