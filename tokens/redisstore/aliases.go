package redisstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// aliasesKey names the aliases.
func (s *Store) aliasesKey() string { return s.common("aliases") }

// PutAlias implements storage.Aliases.
func (s *Store) PutAlias(ctx context.Context, a storage.Alias) error {
	from, record := storage.TagSubject(a.From), []byte(nil)
	if a.Subject != "" {
		var err error
		if record, err = a.MarshalBinary(); err != nil {
			return err
		}
	}
	return s.lasting(ctx, "put_alias", s.scripts().putAlias, []string{s.aliasesKey()}, from[:], record)
}

// Alias implements storage.Aliases.
func (s *Store) Alias(ctx context.Context, from storage.UserTag) (storage.Alias, error) {
	a, err := s.decide(ctx, "alias", s.scripts().alias, []string{s.aliasesKey()}, from[:])
	if err != nil {
		return storage.Alias{}, err
	}
	record := a.text()
	if a.err != nil || record == "" {
		return storage.Alias{}, a.err
	}
	var r storage.Alias
	err = r.UnmarshalBinary([]byte(record))
	return r, err
}

// ListAliases implements storage.Aliases.
func (s *Store) ListAliases(ctx context.Context) (all []storage.Alias, err error) {
	err = s.call(ctx, "list_aliases", func(ctx context.Context, c *connection) (err error) {
		all, err = s.aliases(ctx, c)
		return err
	})
	return all, err
}

func (s *Store) aliases(ctx context.Context, c *connection) (all []storage.Alias, err error) {
	a, err := s.eval(ctx, c, s.scripts().watermarks, []string{s.aliasesKey()}) // which returns any hash
	if err != nil {
		return nil, err
	}
	_ = a.millis()
	err = pairs(a.list(), func(_, record string) error {
		var r storage.Alias
		err := r.UnmarshalBinary([]byte(record))
		all = append(all, r)
		return err
	})
	if err == nil {
		err = a.err
	}
	return all, err
}

// alias keeps one for the end of an import, where all are written at once.
func (m *importer) alias(a *storage.Alias) error {
	record, err := a.MarshalBinary()
	if err == nil {
		m.aliases[storage.TagSubject(a.From)] = record
	}
	return err
}
