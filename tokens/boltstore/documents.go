package boltstore

import (
	"bytes"
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// PutDocument implements storage.Documents.
func (s *Store) PutDocument(ctx context.Context, r storage.DocumentRequest) error {
	r.Text = bytes.Clone(r.Text) // the caller may leave before the commit
	_, err := decide(ctx, s, "put_document", func(t *txn) (struct{}, error) {
		if r.Text == nil {
			t.remove(documents, r.ID[:])
			return struct{}{}, nil
		}
		t.put(documents, r.ID[:], documentRecord{until: t.now.Add(r.Lifetime), text: r.Text}.encode())
		return struct{}{}, nil
	})
	return err
}

// Document implements storage.Documents.
func (s *Store) Document(ctx context.Context, id storage.DocumentID) ([]byte, error) {
	return view(ctx, s, "document", func(t *txn) ([]byte, error) {
		var r documentRecord
		found, err := t.read(documents, id[:], &r)
		if err != nil || !found || !t.now.Before(r.until) {
			return nil, err
		}
		return bytes.Clone(r.text), nil
	})
}
