package transfer

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// H9: whom to tell, and who has still to be told, is written to an export, and read, as it was.
func TestH9OutboxAsLines(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	want := storage.Record{Outbox: &storage.OutboxRecord{
		User: storage.UserTag{1}, Subject: "local|alice",
		Notes:   []storage.SessionNote{{Root: storage.SessionID{2}, At: at, Until: at.Add(time.Hour), Clients: []storage.ClientTag{{3}, {4}}}},
		Waiting: []storage.WaitingLogout{{Root: storage.SessionID{5}, Client: storage.ClientTag{3}, Since: at, Due: at.Add(time.Minute), Tries: 2}},
	}}
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
		t.Errorf("read %+v, %v from %s", got.Outbox, err, text)
	}
}
