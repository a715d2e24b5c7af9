package transfer

import "github.com/gatehouse-auth/gatehouse/tokens/storage"

type wireDocument struct {
	ID       []byte `json:"id"`
	Text     []byte `json:"text,omitempty"` // none where the host says that there is none any more
	AsOf     int64  `json:"as_of"`
	Until    int64  `json:"until"`
	Expected bool   `json:"expected,omitempty"`
}

func wireOfDocument(r *storage.DocumentRecord) *wireDocument {
	return &wireDocument{r.ID[:], r.Text, toMillis(r.AsOf), toMillis(r.Until), r.Expected}
}

func (w *wireDocument) record(d *idReader) *storage.DocumentRecord {
	return &storage.DocumentRecord{
		DocumentRequest: storage.DocumentRequest{ID: id16(d, w.ID), Text: w.Text, AsOf: fromMillis(w.AsOf), Expected: w.Expected},
		Until:           fromMillis(w.Until),
	}
}
