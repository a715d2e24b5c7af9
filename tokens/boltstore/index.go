package boltstore

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// PutIndex implements storage.Index.
func (s *Store) PutIndex(ctx context.Context, r storage.IndexRequest) error {
	_, err := decide(ctx, s, "put_index", func(t *txn) (struct{}, error) {
		live, err := t.index(r.Key)
		if err != nil {
			return struct{}{}, err
		}
		live = slices.DeleteFunc(live, func(e storage.IndexEntry) bool { return e.Indexed == r.Indexed })
		live = append(live, storage.IndexEntry{Indexed: r.Indexed, Until: storage.EndOf(t.now, r.Lifetime)})
		return struct{}{}, t.putIndex(storage.IndexRecord{Key: r.Key, Entries: live[max(0, len(live)-storage.MaxIndexed):]})
	})
	return err
}

// FindIndex implements storage.Index.
func (s *Store) FindIndex(ctx context.Context, key storage.IndexKey) ([]storage.Indexed, error) {
	return view(ctx, s, "find_index", func(t *txn) ([]storage.Indexed, error) {
		live, err := t.index(key)
		return storage.Found(live), err
	})
}
