package boltstore

import (
	"bytes"
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// BeginRecheck implements storage.Upstreams.
func (s *Store) BeginRecheck(ctx context.Context, r storage.RecheckRequest) (storage.RecheckLease, error) {
	return decide(ctx, s, "begin_recheck", func(t *txn) (storage.RecheckLease, error) { return beginRecheck(t, r) })
}

func beginRecheck(t *txn, r storage.RecheckRequest) (storage.RecheckLease, error) {
	u, found, err := t.upstream(r.User, r.Root)
	if err != nil || !found {
		return storage.RecheckLease{}, err
	}
	leased := u.lease.After(t.now)
	if mine := leased && u.attempt == r.Attempt; !mine { // else it is the same call sent again
		if leased || len(u.sealed) == 0 || t.now.Sub(u.checked).Abs() < r.Every || t.now.Sub(u.asked).Abs() < r.Every/10 {
			return storage.RecheckLease{}, nil
		}
		u.doubtful = u.doubtful || !u.lease.IsZero() // that check never ended
		u.lease, u.attempt, u.asked = t.now.Add(r.Lease), r.Attempt, t.now
		t.putUpstream(r.User, r.Root, u)
	}
	return storage.RecheckLease{
		Leased: true, Seq: u.seq, Session: u.session, Sealed: bytes.Clone(u.sealed), Asked: u.asked, Doubtful: u.doubtful,
	}, nil
}

// EndRecheck implements storage.Upstreams.
func (s *Store) EndRecheck(ctx context.Context, r storage.RecheckAnswer) (storage.RecheckResult, error) {
	r.Sealed = bytes.Clone(r.Sealed) // the caller may leave before the commit
	r.Person = ownPerson(r.Person)
	return decide(ctx, s, "end_recheck", func(t *txn) (storage.RecheckResult, error) { return endRecheck(t, r) })
}

func endRecheck(t *txn, r storage.RecheckAnswer) (storage.RecheckResult, error) {
	u, found, err := t.upstream(r.User, r.Root)
	if err != nil {
		return storage.RecheckResult{}, err
	}
	switch {
	case !found:
		return endedBefore(t, r)
	case u.attempt == r.Attempt && u.lease.IsZero():
		return storage.RecheckResult{Outcome: answeredBefore(r, u)}, nil
	case u.attempt != r.Attempt || u.seq != r.Seq:
		return storage.RecheckResult{}, nil
	}
	u.lease = time.Time{}
	res := storage.RecheckResult{}
	switch r.Answer {
	case storage.ProviderKept:
		res.Outcome = storage.RecheckWritten
		if err := t.putFacts(r, u.asked); err != nil {
			return storage.RecheckResult{}, err
		}
		u.checked, u.doubtful = t.now, false
		if len(r.Sealed) > 0 {
			u.seq, u.sealed = r.Seq+1, r.Sealed
		}
	case storage.ProviderGone:
		if !u.doubtful {
			return endLogin(t, r)
		}
		res.Outcome, u.sealed = storage.RecheckDropped, nil
	case storage.ProviderUnclear:
		res.Outcome = storage.RecheckReleased
	default:
		return storage.RecheckResult{}, nil
	}
	t.putUpstream(r.User, r.Root, u)
	return res, nil
}

// endedBefore answers where there is nothing to ask any more: the same call sent again hears
// what it has ended.
func endedBefore(t *txn, r storage.RecheckAnswer) (storage.RecheckResult, error) {
	d, ended, err := t.denial(denialKey(r.User, byte(storage.DenySession), r.Root[:]))
	if err != nil || r.Answer != storage.ProviderGone || !ended || d.attempt != r.Attempt {
		return storage.RecheckResult{}, err
	}
	return endLogin(t, r)
}

// answeredBefore is the outcome of the same call sent again.
func answeredBefore(r storage.RecheckAnswer, u upstreamRecord) storage.RecheckOutcome {
	kept := len(u.sealed) > 0 && (u.seq == r.Seq || u.seq == r.Seq+1)
	switch {
	case r.Answer == storage.ProviderKept && kept:
		return storage.RecheckWritten
	case r.Answer == storage.ProviderUnclear && kept:
		return storage.RecheckReleased
	case r.Answer == storage.ProviderGone && len(u.sealed) == 0 && u.seq == r.Seq:
		return storage.RecheckDropped
	default:
		return storage.RecheckLost
	}
}

// endLogin ends the root of a login that is over.
func endLogin(t *txn, r storage.RecheckAnswer) (storage.RecheckResult, error) {
	ended, err := endSession(t, storage.EndRequest{User: r.User, Session: r.Root, DenyFor: r.DenyFor, Attempt: r.Attempt})
	return storage.RecheckResult{Outcome: storage.RecheckEnded, Ended: ended}, err
}
