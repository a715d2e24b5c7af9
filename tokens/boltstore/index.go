package boltstore

import (
	"context"
	"fmt"
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

// index reads the entries under a name that live.
func (t *txn) index(key storage.IndexKey) ([]storage.IndexEntry, error) {
	var r indexRecord
	_, err := t.read(indexes, key[:], &r)
	return r.Live(t.now), err
}

func (t *txn) putIndex(r storage.IndexRecord) error {
	b, err := r.MarshalBinary()
	if err != nil {
		return fmt.Errorf("writing index record: %w", err)
	}
	t.put(indexes, r.Key[:], b)
	return nil
}

// readIndex reads a name whose key stands in the place of a user's tag.
func readIndex(t *txn, tag storage.UserTag) (storage.Record, error) {
	live, err := t.index(storage.IndexKey(tag))
	if err != nil || len(live) == 0 {
		return storage.Record{}, err
	}
	return storage.Record{Index: &storage.IndexRecord{Key: storage.IndexKey(tag), Entries: live}}, nil
}
