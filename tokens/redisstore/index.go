package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// indexKey names a provider's name for logins, which is in a slot of its own.
func (s *Store) indexKey(key storage.IndexKey) string {
	return s.options.KeyPrefix + "{" + key.String() + "}" + indexes
}

// PutIndex implements storage.Index.
func (s *Store) PutIndex(ctx context.Context, r storage.IndexRequest) error {
	return s.lasting(ctx, "put_index", s.scripts().putIndex, []string{s.indexKey(r.Key)}, slices.Concat(r.User[:], r.Root[:]), millis(r.Lifetime))
}

// FindIndex implements storage.Index.
func (s *Store) FindIndex(ctx context.Context, key storage.IndexKey) ([]storage.Indexed, error) {
	a, err := s.decide(ctx, "find_index", s.scripts().findIndex, []string{s.indexKey(key)})
	if err != nil {
		return nil, err
	}
	r, err := readIndex(storage.UserTag(key), &a)
	if err != nil || r.Index == nil {
		return nil, err
	}
	return storage.Found(r.Index.Entries), nil
}

// readIndex reads a name whose key stands in the place of a user's tag.
func readIndex(tag storage.UserTag, a *answer) (storage.Record, error) {
	now, text := a.millis(), a.bytes()
	if a.err != nil || text == nil {
		return storage.Record{}, a.err
	}
	r := storage.IndexRecord{Key: storage.IndexKey(tag)}
	if err := r.UnmarshalBinary(text); err != nil {
		return storage.Record{}, err
	}
	if r.Entries = r.Live(now); len(r.Entries) == 0 {
		return storage.Record{}, nil
	}
	return storage.Record{Index: &r}, nil
}

// index writes what readIndex has returned, of this store or another.
func (m *importer) index(r *storage.IndexRecord) []scriptCall {
	calls := make([]scriptCall, 0, len(r.Entries))
	for _, e := range r.Entries {
		keep := time.Duration(0)
		if !e.Until.IsZero() {
			keep = max(time.Millisecond, e.Until.Sub(m.about.Now))
		}
		calls = append(calls, scriptCall{m.store.scripts().putIndex, []string{m.store.indexKey(r.Key)}, []any{slices.Concat(e.User[:], e.Root[:]), millis(keep)}})
	}
	return calls
}
