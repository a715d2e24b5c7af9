package transfer

import (
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The records of an export as JSON. Ids are base64, times milliseconds since
// 1970, 0 for none. Families and people keep the records that have versions
// of their own.
type (
	wireLine struct {
		Store     *wireStore     `json:"store,omitempty"`
		Grant     *wireGrant     `json:"grant,omitempty"`
		Client    *wireClient    `json:"client,omitempty"`
		Assertion *wireAssertion `json:"assertion,omitempty"`
		Held      *wireHeld      `json:"held,omitempty"`
		Denied    *wireDenied    `json:"denied,omitempty"`
		Codes     *wireCodes     `json:"codes,omitempty"`
		Upstreams *wireUpstreams `json:"upstreams,omitempty"`
		Index     *wireIndex     `json:"index,omitempty"`
		Consents  *wireConsents  `json:"consents,omitempty"`
		Outbox    *wireOutbox    `json:"outbox,omitempty"`
		Document  *wireDocument  `json:"document,omitempty"`
		Alias     *wireAlias     `json:"alias,omitempty"`
		End       *wireEnd       `json:"end,omitempty"`
	}
	wireStore struct {
		Born          int64    `json:"born"`
		Now           int64    `json:"now"`
		TokenLifetime int64    `json:"token_lifetime"` // ms
		Secrets       [][]byte `json:"secrets"`
		Issuers       []string `json:"issuers"`
		KeysVersion   uint64   `json:"keys_version"`
		Keys          []byte   `json:"keys"`
	}
	wireGrant struct {
		ID    []byte `json:"id"`
		Text  []byte `json:"text"`
		Until int64  `json:"until,omitempty"`
	}
	wireClient struct {
		Client []byte `json:"client"`
		Before int64  `json:"before"`
		Until  int64  `json:"until,omitempty"`

		Blocked bool `json:"blocked,omitempty"`
	}
	wireAssertion struct {
		ID    []byte `json:"id"`
		Until int64  `json:"until"`
	}
	wireHeld struct {
		User        []byte        `json:"user"`
		Subject     string        `json:"subject,omitempty"`
		Fingerprint []byte        `json:"fingerprint"`
		Person      []byte        `json:"person,omitempty"` // storage.Person.MarshalBinary
		Families    []wireFamily  `json:"families,omitempty"`
		Sessions    []wireSession `json:"sessions,omitempty"`
	}
	wireFamily struct {
		ID     []byte `json:"id"`
		Record []byte `json:"record"` // Family.MarshalBinary
	}
	wireSession struct {
		ID       []byte   `json:"id"`
		Begun    int64    `json:"begun"`
		AuthTime int64    `json:"auth_time,omitempty"`
		Expires  int64    `json:"expires"`
		Used     int64    `json:"used"`
		Root     []byte   `json:"root"`
		ACR      string   `json:"acr,omitempty"`
		AMR      []string `json:"amr,omitempty"`
	}
	wireDenied struct {
		User    []byte       `json:"user"`
		Entries []wireDenial `json:"entries,omitempty"`
		Before  int64        `json:"before,omitempty"`
		Until   int64        `json:"until,omitempty"`
		Issued  int64        `json:"issued,omitempty"`
		Folded  int64        `json:"folded,omitempty"`
	}
	wireDenial struct {
		Kind    storage.DenialKind `json:"kind"`
		ID      []byte             `json:"id"`
		Until   int64              `json:"until"`
		Attempt []byte             `json:"attempt"`
		Lived   bool               `json:"lived,omitempty"`
		Reused  bool               `json:"reused,omitempty"`
	}
	wireCodes struct {
		User  []byte     `json:"user"`
		Codes []wireCode `json:"codes"`
	}
	wireCode struct {
		ID      []byte `json:"id"`
		Session []byte `json:"session"`
		Owner   []byte `json:"owner"`
		Body    []byte `json:"body,omitempty"`
		Put     int64  `json:"put"`
		Expires int64  `json:"expires"`
		Taken   int64  `json:"taken,omitempty"`
		Attempt []byte `json:"attempt"`
	}
)

// wireOf returns a record as it is written.
func wireOf(r storage.Record) (wireLine, error) {
	switch {
	case r.Store != nil:
		s := r.Store
		w := &wireStore{Born: toMillis(s.Born), Now: toMillis(s.Now), TokenLifetime: s.TokenLifetime.Milliseconds(), Issuers: s.Issuers, KeysVersion: s.KeysVersion, Keys: s.Keys}
		for i := range s.Secrets {
			w.Secrets = append(w.Secrets, s.Secrets[i][:])
		}
		return wireLine{Store: w}, nil
	case r.Grant != nil:
		return wireLine{Grant: &wireGrant{r.Grant.ID[:], r.Grant.Text, toMillis(r.Grant.Until)}}, nil
	case r.Client != nil:
		return wireLine{Client: &wireClient{r.Client.Client[:], toMillis(r.Client.Before), toMillis(r.Client.Until), r.Client.Blocked}}, nil
	case r.Assertion != nil:
		return wireLine{Assertion: &wireAssertion{r.Assertion.ID[:], toMillis(r.Assertion.Until)}}, nil
	case r.Held != nil:
		return wireOfHeld(r.Held)
	case r.Denied != nil:
		return wireOfDenied(r.Denied), nil
	case r.Codes != nil:
		w := &wireCodes{User: r.Codes.User[:]}
		for _, c := range r.Codes.Codes {
			w.Codes = append(w.Codes, wireCode{c.ID[:], c.Session[:], c.Owner[:], c.Body, toMillis(c.Put), toMillis(c.Expires), toMillis(c.Taken), c.Attempt[:]})
		}
		return wireLine{Codes: w}, nil
	case r.Upstreams != nil:
		return wireLine{Upstreams: wireOfUpstreams(r.Upstreams)}, nil
	case r.Consents != nil:
		return wireOfConsents(r.Consents)
	case r.Outbox != nil:
		return wireLine{Outbox: wireOfOutbox(r.Outbox)}, nil
	case r.Document != nil:
		return wireLine{Document: wireOfDocument(r.Document)}, nil
	case r.Index != nil:
		record, err := r.Index.MarshalBinary()
		return wireLine{Index: &wireIndex{r.Index.Key[:], record}}, err
	case r.Alias != nil:
		return wireLine{Alias: (*wireAlias)(r.Alias)}, nil
	}
	return wireLine{}, errors.New("writing an export: an empty record")
}

func wireOfHeld(h *storage.HeldRecord) (wireLine, error) {
	person, err := h.Profile.Person.MarshalBinary()
	if err != nil {
		return wireLine{}, err
	}
	w := &wireHeld{User: h.User[:], Subject: h.Profile.Subject, Fingerprint: h.Profile.Fingerprint[:], Person: person}
	for _, f := range h.Families {
		record, err := f.MarshalBinary()
		if err != nil {
			return wireLine{}, err
		}
		w.Families = append(w.Families, wireFamily{f.ID[:], record})
	}
	for _, s := range h.Sessions {
		w.Sessions = append(w.Sessions, wireSession{s.ID[:], toMillis(s.Begun), toMillis(s.AuthTime), toMillis(s.Expires), toMillis(s.Used), s.Root[:], s.ACR, s.AMR})
	}
	return wireLine{Held: w}, nil
}

func wireOfDenied(d *storage.DeniedRecord) wireLine {
	w := &wireDenied{User: d.User[:], Before: toMillis(d.Before), Until: toMillis(d.Until), Issued: toMillis(d.Issued), Folded: toMillis(d.Folded)}
	for _, e := range d.Entries {
		w.Entries = append(w.Entries, wireDenial{e.Kind, e.ID[:], toMillis(e.Until), e.Attempt[:], e.Lived, e.Reused})
	}
	return wireLine{Denied: w}
}

// errNewerExport is a line that this version does not know.
var errNewerExport = errors.New("reading an export: written by a newer version of Gatehouse; upgrade this node")

// record reads what wireOf wrote.
func (w *wireLine) record() (storage.Record, error) {
	var d idReader
	var r storage.Record
	switch {
	case w.Store != nil:
		s := w.Store
		r.Store = &storage.StoreRecord{
			Born: fromMillis(s.Born), Now: fromMillis(s.Now), TokenLifetime: time.Duration(s.TokenLifetime) * time.Millisecond,
			Issuers: s.Issuers, KeysVersion: s.KeysVersion, Keys: s.Keys,
		}
		for _, id := range s.Secrets {
			r.Store.Secrets = append(r.Store.Secrets, id16(&d, id))
		}
	case w.Grant != nil:
		r.Grant = &storage.GrantRecord{ID: id12(&d, w.Grant.ID), Text: w.Grant.Text, Until: fromMillis(w.Grant.Until)}
	case w.Client != nil:
		r.Client = &storage.ClientRecord{Client: id8(&d, w.Client.Client), Before: fromMillis(w.Client.Before), Until: fromMillis(w.Client.Until), Blocked: w.Client.Blocked}
	case w.Assertion != nil:
		r.Assertion = &storage.AssertionRecord{ID: id16(&d, w.Assertion.ID), Until: fromMillis(w.Assertion.Until)}
	case w.Held != nil:
		r.Held = w.Held.record(&d)
	case w.Denied != nil:
		r.Denied = w.Denied.record(&d)
	case w.Codes != nil:
		r.Codes = &storage.CodesRecord{User: id16(&d, w.Codes.User)}
		for _, c := range w.Codes.Codes {
			r.Codes.Codes = append(r.Codes.Codes, storage.CodeEntry{
				ID: id16(&d, c.ID), Session: id8(&d, c.Session), Owner: id16(&d, c.Owner), Body: c.Body, Put: fromMillis(c.Put),
				Expires: fromMillis(c.Expires), Taken: fromMillis(c.Taken), Attempt: id8(&d, c.Attempt),
			})
		}
	case w.Upstreams != nil:
		r.Upstreams = w.Upstreams.record(&d)
	case w.Consents != nil:
		r.Consents = w.Consents.record(&d)
	case w.Outbox != nil:
		r.Outbox = w.Outbox.record(&d)
	case w.Document != nil:
		r.Document = w.Document.record(&d)
	case w.Index != nil:
		r.Index = w.Index.record(&d)
	case w.Alias != nil:
		r.Alias = (*storage.Alias)(w.Alias)
	default:
		return storage.Record{}, errNewerExport
	}
	return r, d.err
}

func (w *wireHeld) record(d *idReader) *storage.HeldRecord {
	h := &storage.HeldRecord{User: id16(d, w.User), Profile: storage.Profile{Subject: w.Subject, Fingerprint: id8(d, w.Fingerprint)}}
	if err := h.Profile.Person.UnmarshalBinary(w.Person); err != nil {
		d.err = err
	}
	for _, f := range w.Families {
		family := storage.Family{ID: id16(d, f.ID)}
		if err := family.UnmarshalBinary(f.Record); err != nil {
			d.err = err
		}
		h.Families = append(h.Families, family)
	}
	for _, s := range w.Sessions {
		h.Sessions = append(h.Sessions, storage.Session{
			ID: id8(d, s.ID), User: h.User, Root: id8(d, s.Root), ACR: s.ACR, AMR: s.AMR,
			Begun: fromMillis(s.Begun), AuthTime: fromMillis(s.AuthTime), Expires: fromMillis(s.Expires), Used: fromMillis(s.Used),
		})
	}
	return h
}

func (w *wireDenied) record(d *idReader) *storage.DeniedRecord {
	r := &storage.DeniedRecord{User: id16(d, w.User), Before: fromMillis(w.Before), Until: fromMillis(w.Until), Issued: fromMillis(w.Issued), Folded: fromMillis(w.Folded)}
	for _, e := range w.Entries {
		if e.Kind < storage.DenyToken || e.Kind > storage.DenyClient {
			d.err = errNewerExport
		}
		r.Entries = append(r.Entries, storage.DenialEntry{
			Denial:  storage.Denial{Kind: e.Kind, ID: id16(d, e.ID), Until: fromMillis(e.Until)},
			Attempt: id8(d, e.Attempt), Lived: e.Lived, Reused: e.Reused,
		})
	}
	return r
}

// idReader remembers the first id of a wrong length.
type idReader struct{ err error }

func (d *idReader) check(b []byte, n int) bool {
	if len(b) != n && d.err == nil {
		d.err = errors.New("reading an export: an ID has the wrong length")
	}
	return len(b) == n
}

func id16(d *idReader, b []byte) (id [16]byte) {
	if d.check(b, len(id)) {
		id = [16]byte(b)
	}
	return id
}

func id12(d *idReader, b []byte) (id [12]byte) {
	if d.check(b, len(id)) {
		id = [12]byte(b)
	}
	return id
}

func id8(d *idReader, b []byte) (id [8]byte) {
	if d.check(b, len(id)) {
		id = [8]byte(b)
	}
	return id
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) (t time.Time) {
	if ms != 0 {
		t = time.UnixMilli(ms)
	}
	return t
}
