package boltstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// PutAlias implements storage.Aliases.
func (s *Store) PutAlias(ctx context.Context, a storage.Alias) error {
	_, err := decide(ctx, s, "put_alias", func(t *txn) (struct{}, error) { return struct{}{}, t.putAlias(a) })
	return err
}

// Alias implements storage.Aliases.
func (s *Store) Alias(ctx context.Context, from storage.UserTag) (storage.Alias, error) {
	return view(ctx, s, "alias", func(t *txn) (storage.Alias, error) {
		var r aliasRecord
		_, err := t.read(aliases, from[:], &r)
		return r.Alias, err
	})
}

// ListAliases implements storage.Aliases.
func (s *Store) ListAliases(ctx context.Context) ([]storage.Alias, error) {
	return view(ctx, s, "list_aliases", readAliases)
}

// aliasRecord is an alias.
type aliasRecord struct{ storage.Alias }

// decode copies what it keeps.
func (r *aliasRecord) decode(b []byte) error { return r.UnmarshalBinary(b) }

func readAliases(t *txn) (all []storage.Alias, err error) {
	err = t.scan(aliases, nil, func(_, v []byte) error {
		var r aliasRecord
		err := r.decode(v)
		all = append(all, r.Alias)
		return err
	})
	return all, err
}

// putAlias writes an alias; one of nobody removes it.
func (t *txn) putAlias(a storage.Alias) error {
	from := storage.TagSubject(a.From)
	if a.Subject == "" {
		t.remove(aliases, from[:])
		return nil
	}
	b, err := a.MarshalBinary()
	if err != nil {
		return err
	}
	t.put(aliases, from[:], b)
	return nil
}
