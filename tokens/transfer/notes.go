package transfer

import "github.com/gatehouse-auth/gatehouse/tokens/storage"

// Which clients are to be told of the end of sessions, as JSON.
type (
	wireNotes struct {
		User    []byte     `json:"user"`
		Subject string     `json:"subject"`
		Notes   []wireNote `json:"notes"`
	}
	wireNote struct {
		Root    []byte   `json:"root"`
		At      int64    `json:"at"`
		Until   int64    `json:"until"`
		Clients [][]byte `json:"clients"`
	}
)

func wireOfNotes(all *storage.NotesRecord) *wireNotes {
	w := &wireNotes{User: all.User[:], Subject: all.Subject}
	for _, n := range all.Notes {
		note := wireNote{Root: n.Root[:], At: toMillis(n.At), Until: toMillis(n.Until)}
		for i := range n.Clients {
			note.Clients = append(note.Clients, n.Clients[i][:])
		}
		w.Notes = append(w.Notes, note)
	}
	return w
}

func (w *wireNotes) record(d *idReader) *storage.NotesRecord {
	all := &storage.NotesRecord{User: id16(d, w.User), Subject: w.Subject}
	for _, n := range w.Notes {
		note := storage.SessionNote{Root: id8(d, n.Root), At: fromMillis(n.At), Until: fromMillis(n.Until)}
		for _, c := range n.Clients {
			note.Clients = append(note.Clients, id8(d, c))
		}
		all.Notes = append(all.Notes, note)
	}
	return all
}
