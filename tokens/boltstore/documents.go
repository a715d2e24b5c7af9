package boltstore

import (
	"bytes"
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// PutDocument implements storage.Documents.
func (s *Store) PutDocument(ctx context.Context, r storage.DocumentRequest) (bool, error) {
	r.Text = bytes.Clone(r.Text) // the caller may leave before the commit
	return decide(ctx, s, "put_document", func(t *txn) (bool, error) {
		var was documentRecord
		found, err := t.read(documents, r.ID[:], &was)
		if err != nil || found && t.now.Before(was.until) && was.asOf.After(r.AsOf.Truncate(time.Millisecond)) {
			return false, err
		}
		if found {
			t.remove(documentOrder, was.orderKey(r.ID))
		} else if err := t.roomForDocument(); err != nil {
			return false, err
		}
		t.putDocument(r, t.now.Add(r.Lifetime))
		return true, nil
	})
}

// roomForDocument counts one document more. Where that is one too many, the first in the order goes.
func (t *txn) roomForDocument() error {
	var n countRecord
	if _, err := t.read(meta, metaDocuments, &n); err != nil {
		return err
	}
	if n < storage.MaxDocuments {
		t.put(meta, metaDocuments, (n + 1).encode())
		return nil
	}
	if k, _ := t.bucket(documentOrder).Cursor().First(); k != nil {
		t.remove(documentOrder, k)
		t.remove(documents, k[len(k)-len(storage.DocumentID{}):])
	}
	return nil
}

// putDocument writes a document whose place in the order is free.
func (t *txn) putDocument(r storage.DocumentRequest, until time.Time) {
	record := documentRecord{until: until, asOf: r.AsOf, goes: t.now.Add(r.After()), expected: r.Expected, text: r.Text}
	t.put(documents, r.ID[:], record.encode())
	t.put(documentOrder, record.orderKey(r.ID), []byte{recordVersion})
}

// importDocument writes a document over what an import has written before.
func (t *txn) importDocument(d *storage.DocumentRecord) error {
	var was documentRecord
	found, err := t.read(documents, d.ID[:], &was)
	if found {
		t.remove(documentOrder, was.orderKey(d.ID))
	}
	t.putDocument(d.DocumentRequest, d.Until)
	return err
}

// forgetDocuments removes what is noted of documents that are removed.
func (t *txn) forgetDocuments(ids []storage.DocumentID) error {
	if len(ids) == 0 {
		return nil
	}
	var n countRecord
	if _, err := t.read(meta, metaDocuments, &n); err != nil {
		return err
	}
	for _, id := range ids {
		var r documentRecord
		if found, err := t.read(documents, id[:], &r); err != nil || !found {
			return err
		}
		t.remove(documentOrder, r.orderKey(id))
	}
	t.put(meta, metaDocuments, (n - min(n, countRecord(len(ids)))).encode())
	return nil
}

// countDocuments counts them anew, after an import.
func (t *txn) countDocuments() {
	n := countRecord(0)
	c := t.bucket(documents).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n++
	}
	t.put(meta, metaDocuments, n.encode())
}

// Document implements storage.Documents.
func (s *Store) Document(ctx context.Context, id storage.DocumentID) ([]byte, error) {
	return view(ctx, s, "document", func(t *txn) ([]byte, error) {
		var r documentRecord
		found, err := t.read(documents, id[:], &r)
		if err != nil || !found || !t.now.Before(r.until) || len(r.text) == 0 {
			return nil, err
		}
		return bytes.Clone(r.text), nil
	})
}

// exportDocuments brings the documents, those first that go first.
func (s *Store) exportDocuments(ctx context.Context, each func(storage.Record) error) error {
	ids, err := view(ctx, s, "export", func(t *txn) (ids []storage.DocumentID, err error) {
		err = t.scan(documentOrder, nil, func(k, _ []byte) error {
			ids = append(ids, storage.DocumentID(k[len(k)-len(storage.DocumentID{}):]))
			return nil
		})
		return ids, err
	})
	for _, id := range ids {
		var d *storage.DocumentRecord
		if err == nil {
			d, err = view(ctx, s, "export", func(t *txn) (*storage.DocumentRecord, error) { return t.documentRecord(id) })
		}
		if err == nil && d != nil {
			err = each(storage.Record{Document: d})
		}
	}
	return err
}

// documentRecord returns a document that is not over, or nil.
func (t *txn) documentRecord(id storage.DocumentID) (*storage.DocumentRecord, error) {
	var r documentRecord
	found, err := t.read(documents, id[:], &r)
	if err != nil || !found || !t.now.Before(r.until) {
		return nil, err
	}
	return &storage.DocumentRecord{
		DocumentRequest: storage.DocumentRequest{ID: id, Text: bytes.Clone(r.text), AsOf: r.asOf, Expected: r.expected}, Until: r.until,
	}, nil
}
