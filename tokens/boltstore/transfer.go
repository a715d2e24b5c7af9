package boltstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Keys of the meta bucket that a transfer writes.
var (
	metaMoved     = []byte("moved")     // version 1: the store decides nothing any more
	metaImporting = []byte("importing") // version 1, id 16: of the import that has not finished
)

// metaStanding are the keys of the meta bucket that a transfer knows. What a
// later version keeps there, it must learn to move first.
var metaStanding = [][]byte{metaOpening, metaKeys, metaMoved, metaImporting, metaClock, metaNodes, metaDocuments}

// Export implements storage.Transfers.
func (s *Store) Export(ctx context.Context, each func(storage.Record) error) error {
	var before bool
	err := s.call(ctx, "export", func(f *file) (err error) {
		before, err = commitIn(ctx, f, func(t *txn) (bool, error) {
			before := t.has(meta, metaMoved)
			t.put(meta, metaMoved, []byte{recordVersion})
			return before, nil
		})
		if err != nil {
			return err
		}
		f.moved.Store(true)
		// Decisions that came before the flag was up are over when this one is.
		_, err = commitIn(ctx, f, func(*txn) (struct{}, error) { return struct{}{}, nil })
		return err
	})
	if err == nil {
		err = s.exportAll(ctx, each)
	}
	if err != nil && !before {
		_, undone := s.Resume(context.WithoutCancel(ctx))
		err = errors.Join(err, undone)
	}
	return err
}

func (s *Store) exportAll(ctx context.Context, each func(storage.Record) error) error {
	records, err := view(ctx, s, "export", readStanding)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := each(r); err != nil {
			return err
		}
	}
	if err := s.exportDocuments(ctx, each); err != nil {
		return err
	}
	return s.ScanUsers(ctx, storage.AllParts, each)
}

// readStanding reads what belongs to no user. All of it is little.
func readStanding(t *txn) ([]storage.Record, error) {
	store, err := readStoreRecord(t)
	if err != nil {
		return nil, err
	}
	records := []storage.Record{{Store: store}}
	err = t.scan(grants, nil, func(k, v []byte) error {
		var r grantRecord
		err := r.decode(v)
		if err == nil && !r.over(t.now) {
			records = append(records, storage.Record{Grant: &storage.GrantRecord{ID: storage.GrantID(k), Text: bytes.Clone(r.text), Until: r.until}})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = t.scan(clients, nil, func(k, v []byte) error {
		var r clientRecord
		err := r.decode(v)
		if err == nil && !r.over(t.now) {
			records = append(records, storage.Record{Client: &storage.ClientRecord{Client: storage.ClientTag(k), Before: r.before, Until: r.until, Blocked: r.blocked}})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = t.scan(assertions, nil, func(k, v []byte) error {
		var r assertionRecord
		err := r.decode(v)
		if err == nil && t.now.Before(r.until) {
			records = append(records, storage.Record{Assertion: &storage.AssertionRecord{ID: storage.AssertionID(k), Until: r.until}})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	known, err := readAliases(t)
	for i := range known {
		records = append(records, storage.Record{Alias: &known[i]})
	}
	return records, err
}

func readStoreRecord(t *txn) (*storage.StoreRecord, error) {
	err := t.scan(meta, nil, func(k, _ []byte) error {
		if !slices.ContainsFunc(metaStanding, func(known []byte) bool { return bytes.Equal(k, known) }) {
			return fmt.Errorf("exporting the store: it keeps %q, which this version can't move", k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var o openingRecord
	if _, err := t.read(meta, metaOpening, &o); err != nil {
		return nil, err
	}
	var k keysRecord
	if _, err := t.read(meta, metaKeys, &k); err != nil {
		return nil, err
	}
	return &storage.StoreRecord{
		Born: o.born, Now: t.now, TokenLifetime: o.tokenLifetime, Secrets: o.secrets, Issuers: o.issuers,
		KeysVersion: k.version, Keys: bytes.Clone(k.sealed),
	}, nil
}

// Resume implements storage.Transfers.
func (s *Store) Resume(ctx context.Context) (bool, error) {
	var was bool
	err := s.call(ctx, "resume", func(f *file) (err error) {
		was, err = commitIn(ctx, f, func(t *txn) (bool, error) {
			was := t.has(meta, metaMoved)
			t.remove(meta, metaMoved)
			return was, nil
		})
		if err == nil {
			f.moved.Store(false)
		}
		return err
	})
	return was, err
}

// importBatch is how many records one transaction of an import writes.
const importBatch = 1024

// Import implements storage.Transfers.
func (s *Store) Import(ctx context.Context, id [16]byte, records iter.Seq2[storage.Record, error]) error {
	start := time.Now()
	err := s.importAll(ctx, id, records)
	s.onCall(ctx, "import", time.Since(start), err)
	return err
}

func (s *Store) importAll(ctx context.Context, id [16]byte, records iter.Seq2[storage.Record, error]) (err error) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	switch {
	case s.closed:
		return errClosed
	case s.file != nil:
		return errors.New("importing into the store: it is open")
	}
	db, _, err := s.openFile(ctx, storage.OpenRequest{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := s.write(db, func(t *txn) error { return beginImport(t, id) }); err != nil {
		return err
	}
	var store *storage.StoreRecord
	var batch []storage.Record
	flush := func() error {
		err := s.write(db, func(t *txn) error {
			for _, r := range batch {
				if err := t.putRecord(r); err != nil {
					return err
				}
			}
			return nil
		})
		batch = batch[:0]
		return cmp.Or(err, ctx.Err())
	}
	for r, err := range records {
		if err != nil {
			return err
		}
		if r.Store != nil {
			store = r.Store
			continue
		}
		if batch = append(batch, r); len(batch) == importBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if store == nil {
		return errors.New("importing into the store: the export has no record of the store")
	}
	return s.write(db, func(t *txn) error { return finishImport(t, store) })
}

// write runs one transaction of an import.
func (s *Store) write(db *bolt.DB, run func(t *txn) error) error {
	err := protect(func() error {
		return db.Update(func(tx *bolt.Tx) error {
			t := &txn{tx: tx, now: s.clock.now()}
			if err := run(t); err != nil {
				return err
			}
			return t.apply()
		})
	})
	if err != nil {
		return fmt.Errorf("importing into the store: %w", err)
	}
	return nil
}

// beginImport marks the store, which must be empty or hold what an import with
// the same id has written before.
func beginImport(t *txn, id [16]byte) error {
	mark := append([]byte{recordVersion}, id[:]...)
	was, err := t.get(meta, metaImporting)
	if err != nil {
		return err
	}
	if was != nil {
		if bytes.Equal(was, mark) {
			return nil
		}
		return storage.ErrUnfinishedImport
	}
	if !t.empty() {
		return storage.ErrNotEmpty
	}
	t.put(meta, metaImporting, mark)
	return nil
}

// empty reports whether the file holds nothing.
func (t *txn) empty() bool {
	for b := range bucketCount {
		if k, _ := t.bucket(b).Cursor().First(); k != nil {
			return false
		}
	}
	return true
}

// finishImport makes the store one that can be opened.
func finishImport(t *txn, r *storage.StoreRecord) error {
	if len(r.Keys) > 0 || r.KeysVersion > 0 {
		t.put(meta, metaKeys, keysRecord{version: r.KeysVersion, sealed: r.Keys}.encode())
	}
	t.countDocuments()
	t.put(meta, metaOpening, openingRecord{born: r.Born, tokenLifetime: r.TokenLifetime, secrets: r.Secrets, issuers: r.Issuers}.encode())
	t.remove(meta, metaImporting)
	return nil
}

// putRecord writes what a record says, over what an import has written before.
func (t *txn) putRecord(r storage.Record) error {
	switch {
	case r.Grant != nil:
		t.put(grants, r.Grant.ID[:], grantRecord{until: r.Grant.Until, text: r.Grant.Text}.encode())
	case r.Client != nil:
		t.put(clients, r.Client.Client[:], clientRecord{before: r.Client.Before, until: r.Client.Until, blocked: r.Client.Blocked}.encode())
	case r.Assertion != nil:
		t.put(assertions, r.Assertion.ID[:], assertionRecord{until: r.Assertion.Until}.encode())
	case r.Held != nil:
		return t.putHeld(r.Held)
	case r.Denied != nil:
		t.putDenied(r.Denied)
	case r.Codes != nil:
		for _, c := range r.Codes.Codes {
			t.putCode(r.Codes.User, c)
		}
	case r.Upstreams != nil:
		t.importUpstreams(r.Upstreams)
	case r.Consents != nil:
		return t.importConsents(r.Consents)
	case r.Outbox != nil:
		t.importOutbox(r.Outbox)
	case r.Document != nil:
		return t.importDocument(r.Document)
	case r.Index != nil:
		return t.putIndex(*r.Index)
	case r.Alias != nil:
		return t.putAlias(*r.Alias)
	default:
		return errNewerRecord
	}
	return nil
}

func (t *txn) putHeld(h *storage.HeldRecord) error {
	if h.Profile.Subject != "" {
		if err := t.writeProfile(h.User, profileRecord{}, h.Profile); err != nil {
			return err
		}
	}
	for _, session := range h.Sessions {
		t.put(sessions, userKey(h.User, session.ID[:]), recordOf(session).encode())
	}
	for _, f := range h.Families {
		if err := t.putFamily(h.User, f); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) putCode(user storage.UserTag, c storage.CodeEntry) {
	record := codeRecord{put: c.Put, expires: c.Expires, taken: c.Taken, attempt: c.Attempt, session: c.Session, owner: c.Owner}
	t.put(codes, userKey(user, c.ID[:]), record.encode())
	if c.Body != nil {
		t.put(codeBodies, userKey(user, c.ID[:]), bodyRecord{expires: c.Expires, body: c.Body}.encode())
	}
}

func (t *txn) putDenied(d *storage.DeniedRecord) {
	if !d.Before.IsZero() || !d.Issued.IsZero() || !d.Folded.IsZero() {
		t.put(denials, marksKey(d.User), marksRecord{before: d.Before, until: d.Until, issued: d.Issued, folded: d.Folded}.encode())
	}
	for _, e := range d.Entries {
		record := denialRecord{until: e.Until, attempt: e.Attempt, lived: e.Lived, reused: e.Reused}
		if e.Kind == storage.DenyClient {
			_, record.withdrawn = e.Withdrawn()
		}
		t.put(denials, denialKey(d.User, byte(e.Kind), e.Name()), record.encode())
	}
}
