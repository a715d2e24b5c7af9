package transfer

import "github.com/gatehouse-auth/gatehouse/tokens/storage"

// What belongs to logins at providers, as JSON.
type (
	wireUpstreams struct {
		User   []byte         `json:"user"`
		Logins []wireUpstream `json:"logins"`
	}
	wireUpstream struct {
		Root     []byte `json:"root"`
		Session  []byte `json:"session"`
		Seq      uint32 `json:"seq"`
		Asked    int64  `json:"asked"`
		Checked  int64  `json:"checked"`
		Doubtful bool   `json:"doubtful,omitempty"`
		Sealed   []byte `json:"sealed,omitempty"`
	}
	wireIndex struct {
		Key    []byte `json:"key"`
		Record []byte `json:"record"` // storage.IndexRecord.MarshalBinary
	}
	wireAlias struct {
		From    string `json:"from"`
		Subject string `json:"subject"`
	}
)

func wireOfUpstreams(all *storage.UpstreamsRecord) *wireUpstreams {
	w := &wireUpstreams{User: all.User[:]}
	for _, u := range all.Logins {
		w.Logins = append(w.Logins, wireUpstream{u.Root[:], u.Session[:], u.Seq, toMillis(u.Asked), toMillis(u.Checked), u.Doubtful, u.Sealed})
	}
	return w
}

func (w *wireUpstreams) record(d *idReader) *storage.UpstreamsRecord {
	all := &storage.UpstreamsRecord{User: id16(d, w.User)}
	for _, u := range w.Logins {
		all.Logins = append(all.Logins, storage.UpstreamEntry{
			Root: id8(d, u.Root), Session: id8(d, u.Session), Seq: u.Seq, Asked: fromMillis(u.Asked), Checked: fromMillis(u.Checked),
			Doubtful: u.Doubtful, Sealed: u.Sealed,
		})
	}
	return all
}

func (w *wireIndex) record(d *idReader) *storage.IndexRecord {
	r := &storage.IndexRecord{Key: id16(d, w.Key)}
	if err := r.UnmarshalBinary(w.Record); err != nil {
		d.err = err
	}
	return r
}
