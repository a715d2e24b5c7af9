package boltstore

import (
	"bytes"
	"context"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// DenyToken implements tokens.Denials.
func (s *Store) DenyToken(ctx context.Context, user tokens.UserTag, id tokens.TokenID, until time.Time) error {
	_, err := decide(ctx, s, "deny_token", func(t *txn) (struct{}, error) {
		d := denialRecord{until: tokens.EndOf(t.now, until.Sub(t.now))}
		if !t.now.Before(d.until) {
			return struct{}{}, nil // it is dead by itself
		}
		return struct{}{}, t.deny(denialKey(user, byte(tokens.DenyToken), id[:]), d)
	})
	return err
}

// Denials implements tokens.Denials. Guarded routes call it, so a user of whom
// nothing is denied, nearly every one, costs one seek.
func (s *Store) Denials(ctx context.Context, users []tokens.UserTag) ([]tokens.UserDenials, error) {
	return view(ctx, s, "denials", func(t *txn) ([]tokens.UserDenials, error) {
		answers := make([]tokens.UserDenials, len(users))
		c := t.bucket(denials).Cursor()
		for i := range users {
			if err := readDenials(c, users[i][:], t.now, &answers[i]); err != nil {
				return nil, err
			}
		}
		return answers, nil
	})
}

func readDenials(c *bolt.Cursor, user []byte, now time.Time, answer *tokens.UserDenials) error {
	for k, v := c.Seek(user); bytes.HasPrefix(k, user); k, v = c.Next() {
		switch kind := k[len(user)]; kind {
		case kindMarks:
			var m marksRecord
			if _, err := m.decodeTimes(v); err != nil {
				return err
			}
			if now.Before(m.until) {
				answer.Before = m.before
			}
		case byte(tokens.DenyToken), byte(tokens.DenyFamily), byte(tokens.DenySession):
			var d denialRecord
			if err := d.decode(v); err != nil {
				return err
			}
			if now.Before(d.until) {
				entry := tokens.Denial{Kind: tokens.DenialKind(kind), Until: d.until}
				copy(entry.ID[:], k[len(user)+1:])
				answer.Entries = append(answer.Entries, entry)
			}
		default:
			// Not to know what an entry denies is not to know what is denied.
			return errNewerRecord
		}
	}
	return nil
}

// clientMarks are the watermarks of all clients that have one.
type clientMarks = map[tokens.ClientTag]time.Time

// EndClient implements tokens.Denials. A second call within one second moves
// the watermark one second ahead of the clock, since a login in between was
// dated by that second, but never further: a script that repeats itself must
// not shut the next logins out.
func (s *Store) EndClient(ctx context.Context, client tokens.ClientTag) (time.Time, error) {
	return decide(ctx, s, "end_client", func(t *txn) (time.Time, error) {
		was, err := t.begunAfter(client, time.Time{})
		if err != nil {
			return time.Time{}, err
		}
		before := t.now.Truncate(time.Second)
		if !was.Before(before) {
			before = later(was, before.Add(time.Second))
		}
		t.put(clients, client[:], clientRecord{before: before}.encode())
		return before, nil
	})
}

// ClientWatermarks implements tokens.Denials.
func (s *Store) ClientWatermarks(ctx context.Context) (map[tokens.ClientTag]time.Time, error) {
	return view(ctx, s, "client_watermarks", readWatermarks)
}

func readWatermarks(t *txn) (clientMarks, error) {
	marks := clientMarks{}
	err := t.scan(clients, nil, func(k, v []byte) error {
		var r clientRecord
		if err := r.decode(v); err != nil {
			return err
		}
		marks[tokens.ClientTag(k)] = r.before
		return nil
	})
	return marks, err
}
