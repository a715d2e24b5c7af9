package boltstore

import (
	"bytes"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// txn is a transaction as a decision sees it: it reads what earlier decisions
// have written, but its own writes only gather until the decision is over.
// What it returns from the file is good until then, too.
type txn struct {
	tx      *bolt.Tx
	now     time.Time // the store's, milliseconds
	buckets [bucketCount]*bolt.Bucket
	writes  []write
}

// write is a put, or a removal where value is nil.
type write struct {
	bucket     bucketID
	key, value []byte
}

func (t *txn) bucket(id bucketID) *bolt.Bucket {
	if t.buckets[id] == nil {
		t.buckets[id] = t.tx.Bucket(bucketNames[id])
	}
	return t.buckets[id]
}

// get returns a value, nil for none.
func (t *txn) get(id bucketID, key []byte) ([]byte, error) {
	v := t.bucket(id).Get(key)
	if v == nil {
		return nil, nil
	}
	return unseal(id, key, v)
}

// has reports whether there is a value.
func (t *txn) has(id bucketID, key []byte) bool { return t.bucket(id).Get(key) != nil }

// put writes a value, which must not be changed and not be memory of the file.
func (t *txn) put(id bucketID, key, value []byte) {
	t.writes = append(t.writes, write{id, key, value})
}

func (t *txn) remove(id bucketID, key []byte) { t.put(id, bytes.Clone(key), nil) }

// scan calls f for each key that begins with the prefix, in order.
func (t *txn) scan(id bucketID, prefix []byte, f func(k, v []byte) error) error {
	c := t.bucket(id).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		v, err := unseal(id, k, v)
		if err == nil {
			err = f(k, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// countUp counts the keys of a user in a bucket, up to a limit.
func (t *txn) countUp(bucket bucketID, user storage.UserTag, limit int) (n int) {
	c := t.bucket(bucket).Cursor()
	for k, _ := c.Seek(user[:]); bytes.HasPrefix(k, user[:]) && n < limit; k, _ = c.Next() {
		n++
	}
	return n
}

// removeAll removes each key that begins with the prefix.
func (t *txn) removeAll(id bucketID, prefix []byte) error {
	return t.scan(id, prefix, func(k, _ []byte) error {
		t.remove(id, k)
		return nil
	})
}

// apply does the writes.
func (t *txn) apply() error {
	for _, w := range t.writes {
		b := t.bucket(w.bucket)
		var err error
		if w.value == nil {
			err = b.Delete(w.key)
		} else {
			err = b.Put(w.key, seal(w.bucket, w.key, w.value))
		}
		if err != nil {
			return fmt.Errorf("writing to %s: %w", bucketNames[w.bucket], err)
		}
	}
	return nil
}

// decoded is a record of the file.
type decoded interface{ decode(b []byte) error }

// read reads a record; found is false when there is none.
func (t *txn) read(id bucketID, key []byte, r decoded) (found bool, err error) {
	v, err := t.get(id, key)
	if v == nil {
		return false, err
	}
	if err := r.decode(v); err != nil {
		return false, fmt.Errorf("reading from %s: %w", bucketNames[id], err)
	}
	return true, nil
}

// marks returns the marks of a user; the zero value when nothing of them counts.
func (t *txn) marks(user storage.UserTag) (marksRecord, error) {
	var m marksRecord
	key := marksKey(user)
	v, err := t.get(denials, key)
	if err != nil {
		return m, err
	}
	for _, w := range t.writes { // a decision may write them twice
		if w.bucket == denials && bytes.Equal(w.key, key) {
			v = w.value
		}
	}
	if v == nil {
		return m, nil
	}
	if err := m.decode(v); err != nil {
		return m, fmt.Errorf("reading from %s: %w", bucketNames[denials], err)
	}
	if m.gone(t.now) {
		return marksRecord{}, nil
	}
	return m, nil
}

// denial returns a live entry of a user's denylist.
func (t *txn) denial(key []byte) (d denialRecord, found bool, err error) {
	found, err = t.read(denials, key, &d)
	return d, found && t.now.Before(d.until), err
}

// deny writes an entry. One that exists is only prolonged, and keeps the
// record of who ended the family first.
func (t *txn) deny(key []byte, d denialRecord) error {
	was, found, err := t.denial(key)
	if err != nil {
		return err
	}
	if found {
		was.until = later(was.until, d.until)
		d = was
	}
	t.put(denials, key, d.encode())
	if found {
		return nil
	}
	return t.boundDenials(key[:len(storage.UserTag{})])
}

// issueAt returns the time that dates a token, login or code of the user: now, or one
// second after a sign-out of the user, a withdrawal or the client's watermark in this very
// second, since "issued at or before" is denied. It remembers a date ahead of
// the clock, so that the next sign-out in that second reaches it, and dates nothing before
// it: a rotation does not ask what was withdrawn. None lies farther ahead than
// storage.MostAhead.
func (t *txn) issueAt(user storage.UserTag, m marksRecord, begunAfter time.Time) time.Time {
	second, mark, before := t.now.Truncate(time.Second), begunAfter.Truncate(time.Second), later(m.before, m.withdrawn)
	if second.After(before) && second.After(mark) && !m.issued.After(second) {
		return t.now
	}
	at := later(
		earlier(before.Add(time.Second), second.Add(storage.MostAhead-time.Second)),
		later(earlier(mark.Add(time.Second), second.Add(storage.MostAhead)), earlier(m.issued, second.Add(storage.MostAhead))),
	)
	if at.After(m.issued) {
		m.issued = at
		if now, err := t.marks(user); err == nil { // this decision may have folded meanwhile
			m.folded = later(m.folded, now.folded)
		}
		t.put(denials, marksKey(user), m.encode())
	}
	return at
}

// begunAfter returns the client's watermark, everyone's, or the caller's.
func (t *txn) begunAfter(client storage.ClientTag, callers time.Time) (time.Time, error) {
	for _, tag := range []storage.ClientTag{client, client.Kind(), storage.Everyone} {
		mark, err := t.watermark(tag)
		if err != nil {
			return time.Time{}, err
		}
		callers = later(callers, mark)
	}
	return callers, nil
}

// watermark returns a client's own; zero for none.
func (t *txn) watermark(client storage.ClientTag) (time.Time, error) {
	c, err := t.clientRecord(client)
	return c.before, err
}

// clientRecord returns what holds of a client, the zero record for nothing.
func (t *txn) clientRecord(client storage.ClientTag) (clientRecord, error) {
	var r clientRecord
	if _, err := t.read(clients, client[:], &r); err != nil || r.over(t.now) {
		return clientRecord{}, err
	}
	return r, nil
}

// everyoneEnded reports whether a login was at or before the end of everyone.
func (t *txn) everyoneEnded(login time.Time) (bool, error) {
	mark, err := t.watermark(storage.Everyone)
	return !mark.IsZero() && !login.After(mark), err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
