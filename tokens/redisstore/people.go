package redisstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Profile implements storage.Sessions.
func (s *Store) Profile(ctx context.Context, user storage.UserTag) (storage.Profile, error) {
	a, err := s.decide(ctx, "profile", s.scripts().profile, s.userKeys(user, held, people), 0)
	if err != nil {
		return storage.Profile{}, err
	}
	profile := readProfile(&a)
	return profile, a.err
}

// Rebind implements storage.Users.
func (s *Store) Rebind(ctx context.Context, r storage.RebindRequest) (bool, error) {
	keys, args := s.userKeys(r.User, held), []any{r.From[:], r.To[:]}
	a, err := s.decide(ctx, "rebind", s.scripts().rebind, keys, args...)
	if !committed(err) {
		return false, err
	}
	bound := a.bool()
	s.journal.add(s.scripts().rebind, keys, args...)
	if err != nil {
		return false, err
	}
	return bound, a.err
}

// readProfile takes a profile: subject, fingerprint (and behind it the one that is held) and person, all of them empty where
// there is none.
func readProfile(a *answer) storage.Profile {
	p := storage.Profile{Subject: a.text()}
	switch fingerprint := a.text(); len(fingerprint) {
	case 0:
	case len(p.Fingerprint), len(p.Fingerprint) + len(p.Before):
		copy(p.Before[:], fingerprint[copy(p.Fingerprint[:], fingerprint):])
	default:
		a.err = errBadAnswer
	}
	if err := p.Person.UnmarshalBinary([]byte(a.text())); err != nil && a.err == nil {
		a.err = err
	}
	return p
}
