package transfer

import "github.com/gatehouse-auth/gatehouse/tokens/storage"

// Which clients are to be told of the end of sessions, and have still to be told, as JSON.
type (
	wireOutbox struct {
		User    []byte       `json:"user"`
		Subject string       `json:"subject"`
		Notes   []wireNote   `json:"notes,omitempty"`
		Waiting []wireLogout `json:"waiting,omitempty"`
	}
	wireNote struct {
		Root    []byte   `json:"root"`
		At      int64    `json:"at"`
		Until   int64    `json:"until"`
		Clients [][]byte `json:"clients"`
	}
	wireLogout struct {
		Root   []byte `json:"root"`
		Client []byte `json:"client"`
		Since  int64  `json:"since"`
		Due    int64  `json:"due"`
		Tries  int    `json:"tries,omitempty"`
	}
)

func wireOfOutbox(all *storage.OutboxRecord) *wireOutbox {
	w := &wireOutbox{User: all.User[:], Subject: all.Subject}
	for _, n := range all.Notes {
		note := wireNote{Root: n.Root[:], At: toMillis(n.At), Until: toMillis(n.Until)}
		for i := range n.Clients {
			note.Clients = append(note.Clients, n.Clients[i][:])
		}
		w.Notes = append(w.Notes, note)
	}
	for _, l := range all.Waiting {
		w.Waiting = append(w.Waiting, wireLogout{Root: l.Root[:], Client: l.Client[:], Since: toMillis(l.Since), Due: toMillis(l.Due), Tries: l.Tries})
	}
	return w
}

func (w *wireOutbox) record(d *idReader) *storage.OutboxRecord {
	all := &storage.OutboxRecord{User: id16(d, w.User), Subject: w.Subject}
	for _, n := range w.Notes {
		note := storage.SessionNote{Root: id8(d, n.Root), At: fromMillis(n.At), Until: fromMillis(n.Until)}
		for _, c := range n.Clients {
			note.Clients = append(note.Clients, id8(d, c))
		}
		all.Notes = append(all.Notes, note)
	}
	for _, l := range w.Waiting {
		all.Waiting = append(all.Waiting, storage.WaitingLogout{
			Root: id8(d, l.Root), Client: id8(d, l.Client), Since: fromMillis(l.Since), Due: fromMillis(l.Due), Tries: l.Tries,
		})
	}
	return all
}
