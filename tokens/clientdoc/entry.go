package clientdoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// The times of a document.
const (
	// keepFor is how long a document counts after its host was last asked for it and showed it.
	keepFor = storage.KeepDocument
	// keepKeys is the same of the keys that are beside it.
	keepKeys = 7 * 24 * time.Hour
	// pause is how long nothing is fetched after a failure, and how often at most keys are
	// fetched that an assertion asks for.
	pause = 30 * time.Second
	// keepEvery is how often a document that has not changed is written again, where it is used:
	// of too many in the store the one goes that was written first.
	keepEvery = time.Hour

	usualAge = time.Hour // where the host does not say how long its document may be kept
	minAge   = 5 * time.Minute
	maxAge   = 24 * time.Hour
)

// ageOf is for how long an answer is kept.
func ageOf(f Fetched) time.Duration {
	if f.MaxAge < 0 {
		return usualAge
	}
	return min(max(f.MaxAge, minAge), maxAge)
}

// entry is what is known of one URL. It never changes. Its times are the store's.
type entry struct {
	doc    *Document // nil where there is none
	why    error     // then: why there is none
	pinned bool
	seen   time.Time // when the host was asked that showed the document last, or took it back
	fresh  time.Time // until when it is not fetched again
	paused time.Time // as fresh, after a failure
	stored time.Time // when it was last written to the store; zero for never
	newer  bool      // than what was written
	asked  time.Time // when it was last compared with the store

	keys      []*jose.PublicKey
	keysText  []byte // where they come from JWKSURI
	keysSeen  time.Time
	keysDue   time.Time // when they are fetched again
	keysTried time.Time // when they were last fetched, or could not be
}

// behind reports whether another node may know more, and has written it to the store.
func (e *entry) behind(now time.Time) bool {
	return (e.doc == nil || !now.Before(e.fresh)) && now.Sub(e.asked) >= pause
}

// or is the entry after a look at the store, where kept was; nil for nothing. What the host has
// shown later counts, on whichever node that was.
func (e *entry) or(kept *entry, now time.Time) *entry {
	switch {
	case e == nil || e.pinned:
		e = &entry{why: ErrUnseen}
	case kept != nil && e.doc == nil && isWithdrawn(e.why) && !kept.seen.After(e.seen):
		kept = nil // the host took it back afterwards
	}
	next := *e
	if kept != nil && (e.doc == nil || kept.seen.After(e.seen)) {
		next = *kept
	}
	next.asked = now
	return &next
}

// last returns the last good document, or why there is none.
func (e *entry) last(now time.Time) (*Document, error) {
	switch {
	case e == nil:
		return nil, ErrUnseen
	case e.doc == nil:
		return nil, e.why
	case !e.pinned && now.Sub(e.seen) > keepFor:
		return nil, ErrUnseen
	}
	return e.doc, nil
}

// shown is the entry after a host has shown a document.
func (e *entry) shown(doc *Document, got answer) *entry {
	next := &entry{doc: doc, seen: got.asked, fresh: got.asked.Add(ageOf(got.Fetched)), newer: true}
	if e != nil && e.doc != nil {
		next.stored = e.stored
		if reflect.DeepEqual(e.doc, doc) {
			next.doc, next.newer = e.doc, e.newer
		}
	}
	next.takeKeys(e, got.asked)
	return next
}

// takeKeys fills in the keys that need no fetch: those of the document itself, or of the entry
// before, where they are at the same place.
func (e *entry) takeKeys(before *entry, now time.Time) {
	switch {
	case !e.doc.Keyed:
	case len(e.doc.JWKS) > 0:
		e.keys, _ = e.doc.ParseKeys(e.doc.JWKS) // which Parse has read
		e.keysSeen, e.keysDue = now, now.Add(keepFor)
	case before != nil && before.doc != nil && before.doc.JWKSURI == e.doc.JWKSURI && before.doc.Algorithm == e.doc.Algorithm:
		e.keys, e.keysText, e.keysSeen, e.keysDue, e.keysTried = before.keys, before.keysText, before.keysSeen, before.keysDue, before.keysTried
	}
}

// readKeys takes the keys that the host has shown into an entry that nobody else has yet.
func (e *entry) readKeys(f Fetched) error {
	keys, err := e.doc.ParseKeys(f.Text)
	if err != nil {
		return err
	}
	e.newer = e.newer || !bytes.Equal(e.keysText, f.Text)
	e.keys, e.keysText, e.keysSeen, e.keysDue = keys, f.Text, e.keysTried, e.keysTried.Add(ageOf(f))
	return nil
}

// record is an entry as it is kept. Times are milliseconds.
type record struct {
	Version  int             `json:"v"`
	Document *Document       `json:"document"`
	Seen     int64           `json:"seen"`
	Fresh    int64           `json:"fresh"`
	Keys     json.RawMessage `json:"keys,omitempty"`
	KeysSeen int64           `json:"keys_seen,omitempty"`
}

const recordVersion = 1

func (e *entry) encode() ([]byte, error) {
	r := record{Version: recordVersion, Document: e.doc, Seen: e.seen.UnixMilli(), Fresh: e.fresh.UnixMilli()}
	if len(e.keysText) > 0 {
		r.Keys, r.KeysSeen = e.keysText, e.keysSeen.UnixMilli()
	}
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	if err := to.Encode(r); err != nil {
		return nil, fmt.Errorf("keeping a client's document: %w", err)
	}
	return text.Bytes(), nil
}

// decode reads what encode wrote; what another version wrote is none.
func decode(url string, text []byte, now time.Time) *entry {
	var r record
	if json.Unmarshal(text, &r) != nil || r.Version != recordVersion || r.Document == nil || r.Document.URL != url {
		return nil
	}
	e := &entry{doc: r.Document, seen: time.UnixMilli(r.Seen), fresh: time.UnixMilli(r.Fresh), stored: now}
	e.takeKeys(nil, e.seen)
	if len(r.Keys) > 0 {
		if keys, err := e.doc.ParseKeys(r.Keys); err == nil {
			e.keys, e.keysText, e.keysSeen, e.keysDue = keys, r.Keys, time.UnixMilli(r.KeysSeen), now
		}
	}
	return e
}
