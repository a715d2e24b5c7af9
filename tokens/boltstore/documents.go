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
