package boltstore

import (
	"bytes"
	"context"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// DenyToken implements storage.Denials.
func (s *Store) DenyToken(ctx context.Context, user storage.UserTag, id storage.TokenID, until time.Time) error {
	_, err := decide(ctx, s, "deny_token", func(t *txn) (struct{}, error) {
		d := denialRecord{until: storage.EndOf(t.now, until.Sub(t.now))}
		if !t.now.Before(d.until) {
			return struct{}{}, nil // it is dead by itself
		}
		return struct{}{}, t.deny(denialKey(user, byte(storage.DenyToken), id[:]), d)
	})
	return err
}

// Denials implements storage.Denials. Guarded routes call it, so a user of whom
// nothing is denied, nearly every one, costs one seek.
func (s *Store) Denials(ctx context.Context, users []storage.UserTag) ([]storage.UserDenials, error) {
	return view(ctx, s, "denials", func(t *txn) ([]storage.UserDenials, error) {
		answers := make([]storage.UserDenials, len(users))
		c := t.bucket(denials).Cursor()
		for i := range users {
			if err := readDenials(c, users[i][:], t.now, &answers[i]); err != nil {
				return nil, err
			}
		}
		return answers, nil
	})
}

func readDenials(c *bolt.Cursor, user []byte, now time.Time, answer *storage.UserDenials) error {
	for k, v := c.Seek(user); bytes.HasPrefix(k, user); k, v = c.Next() {
		v, err := unseal(denials, k, v)
		if err != nil {
			return err
		}
		switch kind := k[len(user)]; kind {
		case kindMarks:
			var m marksRecord
			if _, err := m.decodeTimes(v); err != nil {
				return err
			}
			if now.Before(m.until) {
				answer.Before = m.before
			}
		case byte(storage.DenyToken), byte(storage.DenyFamily), byte(storage.DenySession), byte(storage.DenyUser), byte(storage.DenyIssued), byte(storage.DenyClient):
			var d denialRecord
			if err := d.decode(v); err != nil {
				return err
			}
			if now.Before(d.until) {
				entry := storage.Denial{Kind: storage.DenialKind(kind), Until: d.until}
				nameDenial(&entry, k[len(user)+1:], d)
				answer.Entries = append(answer.Entries, entry)
			}
		default:
			// Not to know what an entry denies is not to know what is denied.
			return errNewerRecord
		}
	}
	return nil
}

// nameDenial gives an entry the ID that its key says, and of a withdrawal the record.
func nameDenial(entry *storage.Denial, name []byte, d denialRecord) {
	copy(entry.ID[:], name)
	if entry.Kind == storage.DenyClient {
		entry.ID = storage.WithdrawnID(storage.ClientTag(entry.ID[:8]), d.withdrawn)
	}
}

// clientMarks are the watermarks of all clients that have one.
type clientMarks = map[storage.ClientTag]storage.ClientMark

// EndClient implements storage.Denials. A second call within one second moves
// the watermark one second ahead of the clock, since a machine's token in
// between was dated by that second, but no further than anything is dated: a
// script that repeats itself must not shut the next logins out.
func (s *Store) EndClient(ctx context.Context, client storage.ClientTag, keep time.Duration) (storage.ClientEnd, error) {
	return decide(ctx, s, "end_client", func(t *txn) (storage.ClientEnd, error) {
		was, err := t.newestWatermark(client)
		if err != nil {
			return storage.ClientEnd{}, err
		}
		before := t.now.Truncate(time.Second)
		if !was.Before(before) {
			before = later(was, before.Add(time.Second))
		}
		ahead, err := t.datedAhead()
		if err != nil {
			return storage.ClientEnd{}, err
		}
		before = later(before, ahead)
		record, err := t.clientRecord(client)
		if err != nil {
			return storage.ClientEnd{}, err
		}
		record.before, record.until = before, time.Time{}
		if keep > 0 {
			record.until = before.Add(keep)
		}
		t.put(clients, client[:], record.encode())
		return storage.ClientEnd{Before: before}, nil
	})
}

// BlockClient implements storage.Denials.
func (s *Store) BlockClient(ctx context.Context, client storage.ClientTag, blocked bool) error {
	_, err := decide(ctx, s, "block_client", func(t *txn) (struct{}, error) {
		record, err := t.clientRecord(client)
		if err != nil {
			return struct{}{}, err
		}
		if record.blocked = blocked; record == (clientRecord{}) || record.over(t.now) {
			t.remove(clients, client[:])
		} else {
			t.put(clients, client[:], record.encode())
		}
		return struct{}{}, nil
	})
	return err
}

// newestWatermark returns the newest that may have dated what is the client's, or that
// of one of the clients that its tag stands for.
func (t *txn) newestWatermark(client storage.ClientTag) (time.Time, error) {
	if client != client.Kind() {
		return t.begunAfter(client, time.Time{})
	}
	marks, err := readWatermarks(t)
	newest := time.Time{}
	for _, mark := range marks {
		newest = later(newest, mark.Before)
	}
	return newest, err
}

// datedAhead returns the latest time ahead of the clock that anything of
// anybody was dated by (issueAt). It reads the whole denylist, which is usually
// almost empty, for the few times that a client is ended.
func (t *txn) datedAhead() (time.Time, error) {
	var latest time.Time
	err := t.scan(denials, nil, func(k, v []byte) error {
		if len(k) != len(marksKey(storage.UserTag{})) || k[len(k)-1] != kindMarks {
			return nil
		}
		var m marksRecord
		if _, err := m.decodeTimes(v); err == nil { // else its user can't log in either
			latest = later(latest, m.issued)
		}
		return nil
	})
	return latest, err
}

// ClientWatermarks implements storage.Denials.
func (s *Store) ClientWatermarks(ctx context.Context) (map[storage.ClientTag]storage.ClientMark, error) {
	return view(ctx, s, "client_watermarks", readWatermarks)
}

func readWatermarks(t *txn) (clientMarks, error) {
	marks := clientMarks{}
	err := t.scan(clients, nil, func(k, v []byte) error {
		var r clientRecord
		if err := r.decode(v); err != nil {
			return err
		}
		if !r.over(t.now) {
			marks[storage.ClientTag(k)] = storage.ClientMark{Before: r.before, Blocked: r.blocked}
		}
		return nil
	})
	return marks, err
}
