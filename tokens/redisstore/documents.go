package redisstore

import (
	"cmp"
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// documentKeys names the metadata of clients, and the order in which it goes.
func (s *Store) documentKeys() []string {
	return []string{s.key("{documents}m"), s.key("{documents}t")}
}

// PutDocument implements storage.Documents.
func (s *Store) PutDocument(ctx context.Context, r storage.DocumentRequest) (bool, error) {
	keys, args := s.documentKeys(), documentArgs(r)
	a, err := s.decide(ctx, "put_document", s.scripts().putDocument, keys, args...)
	if !committed(err) {
		return false, err
	}
	kept := a.bool()
	if kept {
		s.journal.add(s.scripts().putDocument, keys, args...)
	}
	return kept, cmp.Or(err, a.err)
}

func documentArgs(r storage.DocumentRequest) []any {
	return []any{r.ID[:], millis(r.Lifetime), unixMillis(r.AsOf), flag(r.Expected), millis(r.After()), storage.MaxDocuments, r.Text}
}

// Document implements storage.Documents.
func (s *Store) Document(ctx context.Context, id storage.DocumentID) ([]byte, error) {
	a, err := s.decide(ctx, "document", s.scripts().document, s.documentKeys()[:1], id[:])
	if err != nil {
		return nil, err
	}
	text := a.bytes()
	return text, a.err
}

// documentVersion and documentHead lead a record (lua/document_record.lua).
const (
	documentVersion = 2
	documentHead    = 12
)

// documentPage is how many documents an export reads at once.
const documentPage = 64

// exportDocuments brings the metadata of clients, those first that go first.
func (s *Store) exportDocuments(ctx context.Context, each func(storage.Record) error) error {
	var ids []string
	keys := s.documentKeys()
	err := s.call(ctx, "export", func(ctx context.Context, c *connection) (err error) {
		ids, err = c.client.ZRange(ctx, keys[1], 0, -1).Result()
		return err
	})
	for len(ids) > 0 && err == nil {
		page := ids[:min(len(ids), documentPage)]
		ids = ids[len(page):]
		var texts []any
		err = s.call(ctx, "export", func(ctx context.Context, c *connection) (err error) {
			texts, err = c.client.HMGet(ctx, keys[0], page...).Result()
			return err
		})
		for i, v := range texts {
			if text, ok := v.(string); ok && err == nil {
				var r *storage.DocumentRecord
				if r, err = readDocument(page[i], text); err == nil {
					err = each(storage.Record{Document: r})
				}
			}
		}
	}
	return err
}

func readDocument(id, record string) (*storage.DocumentRecord, error) {
	switch {
	case record == "" || record[0] != documentVersion:
		return nil, errNewerRecord
	case len(record) < documentHead || len(id) != len(storage.DocumentID{}):
		return nil, errBadRecord
	}
	r := &storage.DocumentRecord{Until: seconds(record[1:])}
	r.ID, r.AsOf, r.Expected = storage.DocumentID([]byte(id)), storage.ReadMillis6([]byte(record[5:])), record[11] == 1
	if len(record) > documentHead {
		r.Text = []byte(record[documentHead:])
	}
	return r, nil
}
