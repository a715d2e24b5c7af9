package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// AppendHistory implements storage.Histories.
func (s *Store) AppendHistory(ctx context.Context, notes []storage.Note) error {
	_, err := decide(ctx, s, "append_history", func(t *txn) (struct{}, error) { return struct{}{}, appendHistory(t, notes) })
	return err
}

func appendHistory(t *txn, notes []storage.Note) error {
	until := t.now.Add(storage.HistoryAge)
	added := make(map[storage.FamilyID]*historyRecord)
	for _, n := range notes {
		r := added[n.Family]
		if r == nil {
			r = new(historyRecord)
			if _, err := t.read(histories, n.Family[:], r); err != nil {
				return err
			}
			if !t.now.Before(r.until) {
				r.notes = nil // over, and not swept yet
			}
			added[n.Family] = r
		}
		if len(n.Text) == 0 {
			continue // there may be nothing to prolong
		}
		r.notes = append(r.notes, n.Text)
		if n.Request != (storage.RequestTag{}) {
			t.put(requests, bytes.Clone(n.Request[:]), requestRecord{until: until, family: n.Family}.encode())
		}
	}
	for id, r := range added {
		if len(r.notes) == 0 {
			continue
		}
		r.until = until
		if more := len(r.notes) - storage.HistoryLength; more > 0 {
			r.notes = slices.Delete(r.notes, 1, 1+more) // the first stays
		}
		t.put(histories, bytes.Clone(id[:]), r.encode())
	}
	return nil
}

// History implements storage.Histories.
func (s *Store) History(ctx context.Context, families []storage.FamilyID) ([][]storage.Note, error) {
	return view(ctx, s, "history", func(t *txn) ([][]storage.Note, error) {
		all := make([][]storage.Note, len(families))
		for i, id := range families {
			var r historyRecord
			found, err := t.read(histories, id[:], &r)
			if err != nil {
				return nil, err
			}
			if !found || !t.now.Before(r.until) {
				continue
			}
			for _, text := range r.notes {
				all[i] = append(all[i], storage.Note{Family: id, Text: bytes.Clone(text)})
			}
		}
		return all, nil
	})
}

// FamilyOfRequest implements storage.Histories.
func (s *Store) FamilyOfRequest(ctx context.Context, request storage.RequestTag) (id storage.FamilyID, found bool, err error) {
	r, err := view(ctx, s, "family_of_request", func(t *txn) (r requestRecord, err error) {
		found, err = t.read(requests, request[:], &r)
		found = found && t.now.Before(r.until)
		return r, err
	})
	if err != nil || !found {
		return id, false, err
	}
	return r.family, true, nil
}

// historyRecord is the history of a family.
type historyRecord struct {
	until time.Time // milliseconds
	notes [][]byte  // each of at most storage.MaxNote bytes
}

func (r historyRecord) encode() []byte {
	b := appendMillis([]byte{recordVersion}, r.until)
	for _, text := range r.notes {
		b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
		b = append(b, text...)
	}
	return b
}

// decode leaves the notes pointing into b.
func (r *historyRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.until = d.millis()
	for rest := d.rest(); len(rest) > 0; {
		if len(rest) < 2 {
			return errBadRecord
		}
		n := 2 + int(binary.BigEndian.Uint16(rest))
		if n > len(rest) {
			return errBadRecord
		}
		r.notes = append(r.notes, rest[2:n:n])
		rest = rest[n:]
	}
	return d.end()
}

// requestRecord is the family that a request was about.
type requestRecord struct {
	until  time.Time // milliseconds
	family storage.FamilyID
}

func (r requestRecord) encode() []byte {
	return append(appendMillis([]byte{recordVersion}, r.until), r.family[:]...)
}

func (r *requestRecord) decode(b []byte) error {
	d := newDecoder(b)
	r.until = d.millis()
	copy(r.family[:], d.bytes(len(r.family)))
	return d.end()
}
