package transfer

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// H9, M-39: whom to tell, who has still to be told, and the metadata of clients are written to an
// export, and read, as they were.
func TestH9M39RecordsAsLines(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	for name, want := range map[string]storage.Record{
		"outbox": {Outbox: &storage.OutboxRecord{
			User: storage.UserTag{1}, Subject: "local|alice",
			Notes:   []storage.SessionNote{{Root: storage.SessionID{2}, At: at, Until: at.Add(time.Hour), Clients: []storage.ClientTag{{3}, {4}}}},
			Waiting: []storage.WaitingLogout{{Root: storage.SessionID{5}, Client: storage.ClientTag{3}, Since: at, Due: at.Add(time.Minute), Tries: 2}},
		}},
		"document": {Document: &storage.DocumentRecord{
			DocumentRequest: storage.DocumentRequest{ID: storage.DocumentID{1}, Text: []byte(`{"v":1}`), AsOf: at.Add(time.Millisecond), Expected: true}, Until: at.Add(time.Hour),
		}},
		"document that was taken back": {Document: &storage.DocumentRecord{
			DocumentRequest: storage.DocumentRequest{ID: storage.DocumentID{2}, AsOf: at.Add(time.Millisecond)}, Until: at.Add(time.Hour),
		}},
	} {
		line, err := wireOf(want)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		var read wireLine
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if got, err := read.record(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read %+v, %v from %s", name, got, err, text)
		}
	}
}
