package redisstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// BeginRecheck implements storage.Upstreams.
func (s *Store) BeginRecheck(ctx context.Context, r storage.RecheckRequest) (storage.RecheckLease, error) {
	a, err := s.decide(ctx, "begin_recheck", s.scripts().beginRecheck, s.userKeys(r.User, upstreams),
		r.Root[:], millis(r.Every), millis(r.Lease), r.Attempt[:])
	if err != nil {
		return storage.RecheckLease{}, err
	}
	leased := a.int()
	lease := storage.RecheckLease{Leased: leased == 1, Busy: leased == 2, Lately: leased >= 3, Thin: leased == 4, Seq: uint32(a.int())}
	copy(lease.Session[:], a.text())
	lease.Sealed, lease.Asked, lease.Doubtful = a.bytes(), a.millis(), a.bool()
	if a.err != nil {
		return storage.RecheckLease{}, a.err
	}
	return lease, nil
}

// EndRecheck implements storage.Upstreams. An end is kept for the case of a failover, as
// that of End is, and what a provider gave, too: it takes nothing else any more.
func (s *Store) EndRecheck(ctx context.Context, r storage.RecheckAnswer) (storage.RecheckResult, error) {
	r.Person.Checked = time.Unix(1, 0) // there is a record; the script dates it
	person, err := r.Person.MarshalBinary()
	if err != nil {
		return storage.RecheckResult{}, err
	}
	keys := s.userKeys(r.User, held, denied, people, upstreams, logouts)
	args := []any{s.grace(), r.Root[:], r.Seq, r.Attempt[:], uint8(r.Answer), millis(r.DenyFor), r.Sealed, person}
	a, err := s.decide(ctx, "end_recheck", s.scripts().endRecheck, keys, args...)
	if !committed(err) {
		return storage.RecheckResult{}, err
	}
	res := storage.RecheckResult{Outcome: storage.RecheckOutcome(a.int())}
	now, families, fresh := a.millis(), ids[storage.FamilyID](&a), a.bool()
	told, dropped := int(a.int()), int(a.int())
	switch res.Outcome {
	case storage.RecheckEnded:
		res.Ended = storage.EndResult{Families: families, New: fresh, Now: now, Told: told, Dropped: dropped}
		s.ended(storage.EndRequest{User: r.User, Scope: storage.EndSession, Session: r.Root, DenyFor: r.DenyFor, Attempt: r.Attempt}, now)
	case storage.RecheckWritten:
		s.journal.add(s.scripts().endRecheck, keys, args...)
	default:
	}
	if err != nil {
		return storage.RecheckResult{}, err
	}
	return res, a.err
}

// What the record of a login is (lua/upstream_record.lua).
const upstreamVersion, upstreamSize = 1, 40

func readUpstreams(user storage.UserTag, a *answer) (storage.Record, error) {
	all := &storage.UpstreamsRecord{User: user}
	now := a.millis()
	err := pairs(a.list(), func(root, value string) error {
		v := []byte(value)
		switch {
		case len(v) > 0 && v[0] != upstreamVersion:
			return errNewerRecord
		case len(v) < upstreamSize || len(root) != len(storage.SessionID{}):
			return errBadRecord
		}
		e := storage.UpstreamEntry{
			Root: storage.SessionID([]byte(root)), Seq: binary.BigEndian.Uint32(v[1:]), Asked: storage.ReadMillis6(v[19:]), Checked: storage.ReadMillis6(v[25:]),
			Doubtful: v[31]&1 != 0 || !storage.ReadMillis6(v[5:]).IsZero(), Session: storage.SessionID(v[32:40]), Sealed: v[upstreamSize:],
		}
		if now.Sub(e.Asked) < storage.KeepUpstream {
			all.Logins = append(all.Logins, e)
		}
		return nil
	})
	if err != nil || len(all.Logins) == 0 {
		return storage.Record{}, err
	}
	slices.SortFunc(all.Logins, func(a, b storage.UpstreamEntry) int { return bytes.Compare(a.Root[:], b.Root[:]) })
	return storage.Record{Upstreams: all}, nil
}

// upstreams writes what readUpstreams has returned, of this store or another.
func (m *importer) upstreams(all *storage.UpstreamsRecord) scriptCall {
	end, args := time.Time{}, make([]any, 1, 1+2*len(all.Logins))
	for _, e := range all.Logins {
		record := binary.BigEndian.AppendUint32([]byte{upstreamVersion}, e.Seq)
		record = append(storage.AppendMillis6(record, time.Time{}), make([]byte, len(storage.Attempt{}))...)
		record = storage.AppendMillis6(storage.AppendMillis6(record, e.Asked), e.Checked)
		doubtful := byte(0)
		if e.Doubtful {
			doubtful = 1
		}
		args = append(args, e.Root[:], slices.Concat(record, []byte{doubtful}, e.Session[:], e.Sealed))
		end = later(end, e.Asked.Add(storage.KeepUpstream))
	}
	args[0] = unixMillis(end)
	return scriptCall{m.store.scripts().importFields, m.store.userKeys(all.User, upstreams), args}
}
