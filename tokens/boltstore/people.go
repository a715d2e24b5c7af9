package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Profile implements storage.Sessions.
func (s *Store) Profile(ctx context.Context, user storage.UserTag) (storage.Profile, error) {
	return view(ctx, s, "profile", func(t *txn) (storage.Profile, error) {
		p, _, err := t.profile(user)
		if err != nil {
			return storage.Profile{}, err
		}
		return t.whole(user, p)
	})
}

// held returns the fingerprint that the last login has replaced, while it is held.
func (r profileRecord) held(now time.Time) storage.Fingerprint {
	if !now.Before(r.heldUntil) {
		return storage.Fingerprint{}
	}
	return r.before
}

// replaced returns the record as the next login finds it, which may replace the fingerprint.
func (r profileRecord) replaced(by storage.Fingerprint, until, now time.Time) profileRecord {
	switch {
	case by != r.fingerprint && until.After(now):
		r.before, r.heldUntil = r.fingerprint, until
	case by != r.fingerprint, !now.Before(r.heldUntil):
		r.before, r.heldUntil = storage.Fingerprint{}, time.Time{}
	}
	return r
}

// profile reads a user's profile, without the person.
func (t *txn) profile(user storage.UserTag) (p profileRecord, found bool, err error) {
	found, err = t.read(profiles, user[:], &p)
	return p, found, err
}

// whole adds the person, who is not to be missing.
func (t *txn) whole(user storage.UserTag, p profileRecord) (storage.Profile, error) {
	whole := storage.Profile{Subject: p.subject, Fingerprint: p.fingerprint, Before: p.held(t.now)}
	if !p.person {
		return whole, nil
	}
	var r personRecord
	found, err := t.read(people, user[:], &r)
	if err == nil && !found {
		err = fmt.Errorf("reading from %s: the record of user %s is missing: %w", bucketNames[people], user, errDamaged)
	}
	whole.Person = r.Person
	return whole, err
}

// putProfile writes a profile over the one that was there. Of what is known of the
// person the newer stays, unless the fingerprint is another one.
func (t *txn) putProfile(user storage.UserTag, was profileRecord, p storage.Profile) error {
	if p.Person.AsOf.IsZero() {
		p.Person.AsOf = t.now
	}
	if was.person && was.fingerprint == p.Fingerprint {
		var known personRecord
		if _, err := t.read(people, user[:], &known); err != nil {
			return err
		}
		if known.AsOf.After(p.Person.AsOf) {
			p.Person = known.Person
		}
	}
	return t.writeProfile(user, was, p)
}

// writeProfile writes a profile as it is, and of the one that was there keeps which
// fingerprint is held.
func (t *txn) writeProfile(user storage.UserTag, was profileRecord, p storage.Profile) error {
	record, err := p.Person.MarshalBinary()
	if err != nil {
		return err
	}
	if known := record != nil; known {
		t.put(people, user[:], record)
	} else if was.person {
		t.remove(people, user[:])
	}
	t.put(profiles, user[:], profileRecord{
		fingerprint: p.Fingerprint, written: t.now, person: record != nil, subject: p.Subject, before: was.before, heldUntil: was.heldUntil,
	}.encode())
	return nil
}

// Rebind implements storage.Users.
func (s *Store) Rebind(ctx context.Context, r storage.RebindRequest) (bool, error) {
	return decide(ctx, s, "rebind", func(t *txn) (bool, error) {
		p, found, err := t.profile(r.User)
		if err != nil || !found || p.fingerprint != r.From {
			return found && p.fingerprint == r.To, err
		}
		p.fingerprint = r.To
		t.put(profiles, r.User[:], p.encode())
		return true, nil
	})
}

// putFacts writes what a provider has said of a person when it was asked, unless newer
// facts are there.
func (t *txn) putFacts(r storage.RecheckAnswer, asked time.Time) error {
	was, found, err := t.profile(r.User)
	if err != nil || !found {
		return err
	}
	r.Person.AsOf, r.Person.Checked = asked, t.now
	return t.putProfile(r.User, was, storage.Profile{Subject: was.subject, Fingerprint: was.fingerprint, Person: r.Person})
}

// ownPerson is a copy that stays as it is when the caller has left.
func ownPerson(p storage.Person) storage.Person {
	p.Claims, p.Groups = bytes.Clone(p.Claims), slices.Clone(p.Groups)
	return p
}
