package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// upstream reads what a provider gave for a root, unless it is over. It points into the file.
func (t *txn) upstream(user storage.UserTag, root storage.SessionID) (r upstreamRecord, found bool, err error) {
	found, err = t.read(upstreams, userKey(user, root[:]), &r)
	return r, found && !r.over(t.now), err
}

// givenAt returns what a provider gave at the login of a root that ends, where that is asked for.
func (t *txn) givenAt(r storage.EndRequest, root storage.SessionID) (storage.GivenAtLogin, error) {
	if !r.Given {
		return storage.GivenAtLogin{}, nil
	}
	u, found, err := t.upstream(r.User, root)
	if err != nil || !found || len(u.sealed) == 0 {
		return storage.GivenAtLogin{}, err
	}
	return storage.GivenAtLogin{Sealed: bytes.Clone(u.sealed), Seq: u.seq, Session: u.session}, nil
}

func (t *txn) putUpstream(user storage.UserTag, root storage.SessionID, r upstreamRecord) {
	t.put(upstreams, userKey(user, root[:]), r.encode())
}

// putLogin keeps what a provider gave at a login, in the place of what the login before
// brought. The same call sent again changes nothing.
func (t *txn) putLogin(r storage.SessionRequest, root storage.SessionID, changed bool) error {
	if len(r.Upstream) == 0 { // what there is from before stays
		return nil
	}
	was, found, err := t.upstream(r.User, root)
	if err != nil || found && was.session == r.ID {
		return err
	}
	if !changed { // else all were removed
		if err := t.boundUpstreams(r.User, root); err != nil {
			return err
		}
	}
	t.putUpstream(r.User, root, upstreamRecord{seq: 1, asked: t.now, checked: t.now, session: r.ID, sealed: r.Upstream})
	return nil
}

// boundUpstreams removes the ones that were not asked for the longest time, so that with
// that of a root there are at most storage.MaxUpstreams.
func (t *txn) boundUpstreams(user storage.UserTag, root storage.SessionID) error {
	type other struct {
		key   []byte
		asked time.Time
	}
	var others []other
	err := t.scan(upstreams, user[:], func(k, v []byte) error {
		var r upstreamRecord
		err := r.decode(v)
		if storage.SessionID(k[len(user):]) != root {
			others = append(others, other{k, r.asked})
		}
		return err
	})
	if err != nil || len(others) < storage.MaxUpstreams {
		return err
	}
	slices.SortFunc(others, func(a, b other) int { return cmp.Or(a.asked.Compare(b.asked), bytes.Compare(a.key, b.key)) })
	for _, o := range others[:len(others)+1-storage.MaxUpstreams] {
		t.remove(upstreams, o.key)
	}
	return nil
}

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
			lately := !leased && len(u.sealed) > 0
			return storage.RecheckLease{Busy: leased, Lately: lately, Thin: lately && u.thin}, nil
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
	again := found && u.attempt == r.Attempt && u.lease.IsZero() // the same call sent again
	switch {
	case !found:
		return endedLogin(t, r)
	case again:
		return storage.RecheckResult{Outcome: answeredBefore(r, u)}, nil
	case u.attempt != r.Attempt || u.seq != r.Seq:
		return storage.RecheckResult{}, nil
	}
	u.lease = time.Time{}
	res := storage.RecheckResult{}
	switch r.Answer {
	case storage.ProviderKept, storage.ProviderThin:
		res.Outcome = storage.RecheckWritten
		if err := t.answer(&u, r); err != nil {
			return storage.RecheckResult{}, err
		}
	case storage.ProviderGone:
		if !u.doubtful {
			return endLogin(t, r)
		}
		res.Outcome, u.sealed = storage.RecheckDropped, nil
	case storage.ProviderUnclear, storage.ProviderLost:
		res.Outcome, u.doubtful = storage.RecheckReleased, u.doubtful || r.Answer == storage.ProviderLost
	default:
		return storage.RecheckResult{}, nil
	}
	t.putUpstream(r.User, r.Root, u)
	return res, nil
}

// endedLogin is the result of an answer about a login that is over: by the same call, if that
// is sent again.
func endedLogin(t *txn, r storage.RecheckAnswer) (storage.RecheckResult, error) {
	d, ended, err := t.denial(denialKey(r.User, byte(storage.DenySession), r.Root[:]))
	if err != nil || r.Answer != storage.ProviderGone || !ended || d.attempt != r.Attempt {
		return storage.RecheckResult{}, err
	}
	return endLogin(t, r)
}

// answer notes that the login is good, and what was said of the person, if anything was.
func (t *txn) answer(u *upstreamRecord, r storage.RecheckAnswer) error {
	u.doubtful, u.thin = false, r.Answer == storage.ProviderThin
	if len(r.Sealed) > 0 {
		u.seq, u.sealed = r.Seq+1, r.Sealed
	}
	if r.Answer == storage.ProviderThin {
		return nil
	}
	u.checked = t.now
	return t.putFacts(r, u.asked)
}

// answeredBefore is the outcome of an answer that was written before.
func answeredBefore(r storage.RecheckAnswer, u upstreamRecord) storage.RecheckOutcome {
	kept := len(u.sealed) > 0 && (u.seq == r.Seq || u.seq == r.Seq+1)
	switch {
	case kept && (r.Answer == storage.ProviderKept || r.Answer == storage.ProviderThin):
		return storage.RecheckWritten
	case kept && (r.Answer == storage.ProviderUnclear || r.Answer == storage.ProviderLost):
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

func readUpstreams(t *txn, user storage.UserTag) (storage.Record, error) {
	all := &storage.UpstreamsRecord{User: user}
	err := t.scan(upstreams, user[:], func(k, v []byte) error {
		var r upstreamRecord
		err := r.decode(v)
		if err == nil && !r.over(t.now) {
			all.Logins = append(all.Logins, storage.UpstreamEntry{
				Root: storage.SessionID(k[len(user):]), Session: r.session, Seq: r.seq, Asked: r.asked, Checked: r.checked,
				Doubtful: r.doubtful || !r.lease.IsZero(), Sealed: bytes.Clone(r.sealed),
			})
		}
		return err
	})
	if err != nil || len(all.Logins) == 0 {
		return storage.Record{}, err
	}
	return storage.Record{Upstreams: all}, nil
}

// importUpstreams writes what readUpstreams has returned, of this store or another.
func (t *txn) importUpstreams(all *storage.UpstreamsRecord) {
	for _, e := range all.Logins {
		t.putUpstream(all.User, e.Root, upstreamRecord{
			seq: e.Seq, asked: e.Asked, checked: e.Checked, doubtful: e.Doubtful, session: e.Session, sealed: e.Sealed,
		})
	}
}
