package redisstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// documentLead begins the names of the metadata of clients, behind the prefix.
const documentLead = "m:"

func (s *Store) documentKey(id storage.DocumentID) string { return s.key(documentLead + id.String()) }

// PutDocument implements storage.Documents.
func (s *Store) PutDocument(ctx context.Context, r storage.DocumentRequest) error {
	return s.lasting(ctx, "put_document", s.scripts().putDocument, []string{s.documentKey(r.ID)}, millis(r.Lifetime), flag(r.Text != nil), r.Text)
}

// Document implements storage.Documents.
func (s *Store) Document(ctx context.Context, id storage.DocumentID) ([]byte, error) {
	a, err := s.decide(ctx, "document", s.scripts().document, []string{s.documentKey(id)})
	if err != nil || !a.present() {
		return nil, err
	}
	text := []byte(a.text())
	return text, a.err
}
