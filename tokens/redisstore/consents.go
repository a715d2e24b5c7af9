package redisstore

import (
	"cmp"
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Consents implements storage.Consents.
func (s *Store) Consents(ctx context.Context, user storage.UserTag) ([]storage.Consent, error) {
	a, err := s.decide(ctx, "consents", s.scripts().denials, s.userKeys(user, consents)) // which returns any hash
	if err != nil {
		return nil, err
	}
	r, err := readConsents(user, &a)
	if err = cmp.Or(err, a.err); err != nil || r.Consents == nil {
		return nil, err
	}
	return r.Consents.Consents, nil
}

func readConsents(user storage.UserTag, a *answer) (storage.Record, error) {
	all := &storage.ConsentsRecord{User: user}
	now := a.millis()
	err := pairs(a.list(), func(client, record string) error {
		if len(client) != len(storage.ClientTag{}) {
			return errBadRecord
		}
		c := storage.Consent{Client: storage.ClientTag([]byte(client))}
		err := c.UnmarshalBinary([]byte(record))
		all.Consents = append(all.Consents, c)
		return err
	})
	if all.Consents = all.Live(now); err != nil || len(all.Consents) == 0 {
		return storage.Record{}, err
	}
	return storage.Record{Consents: all}, nil
}

// consents writes what readConsents has returned, of this store or another.
func (m *importer) consents(all *storage.ConsentsRecord) (scriptCall, error) {
	end, args := time.Time{}, make([]any, 1, 1+2*len(all.Consents))
	for _, c := range all.Consents {
		record, err := c.MarshalBinary()
		if err != nil {
			return scriptCall{}, err
		}
		args = append(args, c.Client[:], record)
		end = later(end, c.Used.Add(storage.KeepConsent))
	}
	args[0] = unixMillis(end)
	return scriptCall{m.store.scripts().importFields, m.store.userKeys(all.User, consents), args}, nil
}
