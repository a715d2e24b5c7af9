package boltstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Rotate implements storage.Families.
func (s *Store) Rotate(ctx context.Context, r storage.RotateRequest) (storage.RotateResult, error) {
	return decide(ctx, s, "rotate", func(t *txn) (storage.RotateResult, error) { return rotate(t, r, s.nodes.silent) })
}

func rotate(t *txn, r storage.RotateRequest, silent []storage.Silence) (storage.RotateResult, error) {
	f, found, err := t.family(r.User, r.Family)
	if err != nil {
		return storage.RotateResult{}, err
	}
	if !found {
		return notFound(t, r)
	}
	user, found, err := t.profile(r.User)
	if err != nil {
		return storage.RotateResult{}, err
	}
	if !found || !(storage.Profile{Fingerprint: user.fingerprint, Before: user.held(t.now)}).Fits(r.Fingerprints) {
		return storage.RotateResult{Outcome: storage.RotateUserChanged, Family: f}, nil
	}
	r.BegunAfter, err = t.begunAfter(r.Client, r.BegunAfter)
	if err != nil {
		return storage.RotateResult{}, err
	}
	profile, missing := t.whole(r.User, user)
	outcome, next := storage.Decide(f, profile.Person.Groups, r, t.now, silent...)
	if missing != nil && (outcome.Granted() || outcome == storage.RotateNotAllowed) {
		return storage.RotateResult{}, missing // an old generation ends the family all the same
	}
	res := storage.RotateResult{Outcome: outcome}
	if err := t.settle(r, f, outcome, next); err != nil {
		return storage.RotateResult{}, err
	}
	if outcome != storage.RotateUnknown && outcome != storage.RotateExpired && outcome != storage.RotateReused {
		res.Family = next
	}
	if !outcome.Granted() {
		return res, nil
	}
	marks, err := t.marks(r.User)
	if err != nil {
		return storage.RotateResult{}, err
	}
	res.Profile = profile
	res.IssueAt = t.issueAt(r.User, marks, r.BegunAfter)
	return res, nil
}

// settle writes what the decision about a family changes.
func (t *txn) settle(r storage.RotateRequest, was storage.Family, outcome storage.RotateOutcome, next storage.Family) error {
	switch outcome {
	case storage.RotateReused:
		d := denialRecord{until: storage.EndOf(t.now, r.DenyFor), attempt: r.Attempt, lived: true, reused: true}
		return t.endFamily(r.User, r.Family, d)
	case storage.Rotated:
		if next.Generation == was.Generation && next.Attempt == was.Attempt {
			return nil // the same call sent again
		}
		return t.putFamily(r.User, next)
	case storage.RotateKept, storage.RotateHealed:
		if r.Unused && outcome == storage.RotateKept {
			return nil
		}
		return t.putFamily(r.User, next)
	default:
		return nil
	}
}

// notFound answers for a family that isn't there; the attempt that has killed
// it hears that again.
func notFound(t *txn, r storage.RotateRequest) (storage.RotateResult, error) {
	d, found, err := t.denial(denialKey(r.User, byte(storage.DenyFamily), r.Family[:]))
	if err == nil && found && d.reused && d.attempt == r.Attempt {
		return storage.RotateResult{Outcome: storage.RotateReused}, nil
	}
	return storage.RotateResult{Outcome: storage.RotateUnknown}, err
}
