package boltstore

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Consents implements storage.Consents.
func (s *Store) Consents(ctx context.Context, user storage.UserTag) ([]storage.Consent, error) {
	return view(ctx, s, "consents", func(t *txn) ([]storage.Consent, error) {
		all, err := t.consents(user)
		return all.Live(t.now), err
	})
}

// consent reads what a user has agreed to at a client; the zero consent for nothing.
func (t *txn) consent(user storage.UserTag, client storage.ClientTag) (storage.Consent, error) {
	v, err := t.get(consents, userKey(user, client[:]))
	if v == nil {
		return storage.Consent{}, err
	}
	c := storage.Consent{Client: client}
	if err := c.UnmarshalBinary(v); err != nil {
		return storage.Consent{}, fmt.Errorf("reading from %s: %w", bucketNames[consents], err)
	}
	if c.Over(t.now) {
		return storage.Consent{}, nil
	}
	return c, nil
}

// consents reads all that a user has agreed to, also what is over.
func (t *txn) consents(user storage.UserTag) (storage.ConsentsRecord, error) {
	all := storage.ConsentsRecord{User: user}
	err := t.scan(consents, user[:], func(k, v []byte) error {
		c := storage.Consent{Client: storage.ClientTag(k[len(user):])}
		err := c.UnmarshalBinary(v)
		all.Consents = append(all.Consents, c)
		return err
	})
	return all, err
}

func (t *txn) putConsent(user storage.UserTag, c storage.Consent) error {
	record, err := c.MarshalBinary()
	if err == nil {
		t.put(consents, userKey(user, c.Client[:]), record)
	}
	return err
}

// agree keeps the consent that comes with a code, or marks the one as used that it rests on. It
// reports whether that is still the one that the caller knows.
func (t *txn) agree(r storage.PutRequest) (bool, error) {
	c, err := t.consent(r.User, r.Client)
	if err != nil {
		return false, err
	}
	second := t.now.Truncate(time.Second)
	switch {
	case (r.Consent != nil || r.RestsOn != storage.GrantID{}) && c.Agreed != r.RestsOn:
		return false, nil
	case r.Consent == nil:
		if c != (storage.Consent{}) && second.Sub(c.Used) >= storage.TouchConsent {
			c.Used = second
			return true, t.putConsent(r.User, c)
		}
		return true, nil
	}
	all, err := t.consents(r.User)
	if err != nil {
		return false, err
	}
	for _, gone := range all.Excess(r.Client, t.now) {
		t.remove(consents, userKey(r.User, gone[:]))
	}
	c = *r.Consent
	c.Client, c.When, c.Used = r.Client, second, second
	return true, t.putConsent(r.User, c)
}

// withdrawn returns until when a user has withdrawn a client's consent, in seconds; zero for never.
func (t *txn) withdrawn(user storage.UserTag, client storage.ClientTag) (time.Time, error) {
	d, found, err := t.denial(denialKey(user, byte(storage.DenyClient), client[:]))
	if !found {
		return time.Time{}, err
	}
	return d.withdrawn, err
}

// endConsent withdraws a consent. Codes are not told apart by their client: those that
// were put until now are refused when they are taken.
func endConsent(t *txn, r storage.EndRequest) (storage.EndResult, error) {
	ended, err := t.endedBy(r.User, r.Attempt) // what this very call has ended when it was first sent
	if err != nil {
		return storage.EndResult{}, err
	}
	marks, err := t.marks(r.User)
	if err != nil {
		return storage.EndResult{}, err
	}
	key := denialKey(r.User, byte(storage.DenyClient), r.Client[:])
	was, found, err := t.denial(key)
	if err != nil {
		return storage.EndResult{}, err
	}
	if found && was.attempt == r.Attempt { // the same call sent again; what was agreed to in between stays
		return storage.EndResult{Families: ended, Now: later(t.now, was.withdrawn), New: true}, nil
	}
	consent := userKey(r.User, r.Client[:])
	res := storage.EndResult{Families: ended, New: t.has(consents, consent)}
	t.remove(consents, consent)
	// What is dated ahead of the clock is reached as well.
	d := denialRecord{attempt: r.Attempt, withdrawn: later(t.now.Truncate(time.Second), later(marks.issued, was.withdrawn))}
	res.Now = later(t.now, d.withdrawn)
	until := storage.EndOf(res.Now, r.DenyFor)
	d.until = later(was.until, later(until, storage.EndOf(res.Now, storage.CodesLive)))
	err = t.eachFamily(r.User, func(f storage.Family) error {
		if f.Client != r.Client {
			return nil
		}
		lived := !f.Dead(t.now)
		if lived {
			res.Families, res.New = append(res.Families, f.ID), true
		}
		return t.endFamily(r.User, f.ID, denialRecord{until: until, attempt: r.Attempt, lived: lived})
	})
	if err != nil {
		return storage.EndResult{}, err
	}
	t.put(denials, key, d.encode())
	if !found {
		err = t.boundDenials(r.User[:])
	}
	return res, err
}

func readConsents(t *txn, user storage.UserTag) (storage.Record, error) {
	all, err := t.consents(user)
	if all.Consents = all.Live(t.now); err != nil || len(all.Consents) == 0 {
		return storage.Record{}, err
	}
	return storage.Record{Consents: &all}, nil
}

// importConsents writes what readConsents has returned, of this store or another.
func (t *txn) importConsents(all *storage.ConsentsRecord) error {
	for _, c := range all.Consents {
		if err := t.putConsent(all.User, c); err != nil {
			return err
		}
	}
	return nil
}
