package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// keepProfile is for how long a profile is kept, from the last login on, when its user has
// nothing else any more.
const keepProfile = 90 * 24 * time.Hour

// profileRecord is who a user is.
type profileRecord struct {
	fingerprint storage.Fingerprint
	written     time.Time // seconds; the last login
	person      bool      // there is a record of the person
	subject     string
	before      storage.Fingerprint // that the last login has replaced
	heldUntil   time.Time           // seconds; zero where there is none
}

func (r profileRecord) encode() []byte {
	b := append(make([]byte, 0, 14+len(r.subject)), secondVersion)
	b = append(b, r.fingerprint[:]...)
	b = appendSeconds(b, r.written)
	var flags byte
	if r.person {
		flags |= withPerson
	}
	if r.heldUntil.IsZero() {
		return append(append(b, flags), r.subject...)
	}
	b = append(append(b, flags|withBefore), r.before[:]...)
	return append(appendSeconds(b, r.heldUntil), r.subject...)
}

// The flags of a profileRecord.
const (
	withPerson = 1
	withBefore = 2
)

func (r *profileRecord) decode(b []byte) error {
	d := newDecoderOf(b, secondVersion)
	copy(r.fingerprint[:], d.bytes(len(r.fingerprint)))
	r.written = d.seconds()
	if flags := d.bytes(1); flags != nil {
		r.person = flags[0]&withPerson != 0
		if flags[0]&withBefore != 0 {
			copy(r.before[:], d.bytes(len(r.before)))
			r.heldUntil = d.seconds()
		}
	}
	r.subject = string(d.rest())
	return d.end()
}

// personRecord is what is known of a person beyond that.
type personRecord struct{ storage.Person }

// decode copies what it keeps.
func (r *personRecord) decode(b []byte) error {
	if len(b) == 0 {
		return errBadRecord
	}
	return r.UnmarshalBinary(b)
}

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
