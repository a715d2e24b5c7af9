// Package history records what has happened to a login, for the people and
// operators who ask later. No decision depends on it, and no answer waits for it.
//
// Begin reading at Recorder.
package history

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Kind is what happened to a family. The set is closed.
type Kind string

// The kinds of history entry.
const (
	Begun    Kind = "begun"    // a login
	Used     Kind = "used"     // refreshed from another place than before, as far as this node knows
	Replayed Kind = "replayed" // the predecessor came again within the leeway
	Healed   Kind = "healed"   // the store had lost a write
	Reused   Kind = "reused"   // an old token came; the family is ended
	Refused  Kind = "refused"  // a refresh of a family that is over; By is the Reason
	Evicted  Kind = "evicted"  // by a newer login beyond max_active
	Ended    Kind = "ended"    // by somebody; By says who
)

// Who ended a family: By of Ended. The set is closed.
const (
	EndedByClient   = "client"   // the application revoked its token (RFC 7009)
	EndedByPerson   = "person"   // on the account page
	EndedBySignOut  = "sign_out" // of the session that it began in
	EndedByProvider = "provider" // of the login, which has said so, or could not be asked
	EndedByOperator = "operator"
	EndedByReplay   = "code_reuse" // its authorization code came twice
	// EndedByNext is by the next sign-in of the same browser: of one that kept it in a cookie, or
	// of another person, which signs out who was signed in before.
	EndedByNext = "replaced"
)

// Entry is one line of a family's history.
type Entry struct {
	Time    time.Time // milliseconds
	Kind    Kind
	By      string // of a closed set: who or why
	Client  string // clients.Client.Ref
	User    storage.UserTag
	Request string        // the request's id in the log; "" for Begun and Used
	Address string        // of who asked
	Device  string        // of who asked
	Age     time.Duration // with Replayed: how long ago the current token was made
}

// historyText is a Entry in the store. Absent members are zero.
type historyText struct {
	Time    int64  `json:"t"` // milliseconds
	Kind    Kind   `json:"k"`
	By      string `json:"b,omitempty"`
	Client  string `json:"c,omitempty"`
	User    string `json:"u,omitempty"`
	Request string `json:"r,omitempty"`
	Address string `json:"a,omitempty"`
	Device  string `json:"d,omitempty"`
	Age     int64  `json:"g,omitempty"` // milliseconds
}

// encode writes the entry; every text that a request chose is bounded.
func (e Entry) encode() ([]byte, error) {
	return json.Marshal(historyText{
		Time: e.Time.UnixMilli(), Kind: e.Kind, By: e.By, Client: Clip(e.Client), User: e.User.String(),
		Request: Clip(e.Request), Address: Clip(e.Address), Device: Clip(e.Device), Age: e.Age.Milliseconds(),
	})
}

func parseHistoryEntry(text []byte) (Entry, error) {
	var t historyText
	if err := json.Unmarshal(text, &t); err != nil {
		return Entry{}, fmt.Errorf("reading history: %w", err)
	}
	user, _ := storage.ParseUserTag(t.User)
	return Entry{
		Time: time.UnixMilli(t.Time), Kind: t.Kind, By: t.By, Client: t.Client, User: user,
		Request: t.Request, Address: t.Address, Device: t.Device, Age: time.Duration(t.Age) * time.Millisecond,
	}, nil
}

// Clip bounds a text and what JSON makes of it, so that an entry stays below MaxNote.
func Clip(s string) string {
	const limit = 100
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError || strings.ContainsRune(`"\<>&`, r) {
			return '_'
		}
		return r
	}, s)
}

// Recorder writes histories behind the answers: a refresh does not wait for
// it, and what it can't write is lost and counted.
type Recorder struct {
	store   storage.Histories
	clock   func() time.Time
	queue   chan storage.Note
	dropped atomic.Uint64
	mu      sync.Mutex
	used    map[storage.FamilyID]lastUse
	repeats repeatedNotes
	served  servedRequests
}

// lastUse is where a family was used last, by the notes of this node, and when
// that was noted or the history prolonged.
type lastUse struct {
	address, device string
	noted           time.Time
}

const (
	historyQueue = 1024    // notes that wait
	historyBatch = 64      // notes in one call
	historyUsed  = 1 << 15 // families of which the last use is remembered
	historyDrain = 2 * time.Second
	// historyRenew is after how long a use from the same place prolongs the history,
	// so that it is kept for a family in use. It is far below HistoryAge.
	historyRenew = 7 * 24 * time.Hour
)

// NewRecorder makes a recorder over a store. It writes nothing until Run.
func NewRecorder(store storage.Histories, clock func() time.Time) *Recorder {
	return &Recorder{store: store, clock: clock, queue: make(chan storage.Note, historyQueue), used: make(map[storage.FamilyID]lastUse)}
}

// Note adds an entry about a family, as of now, by the request in ctx.
func (h *Recorder) Note(ctx context.Context, family storage.FamilyID, e Entry) {
	e.Time = h.clock()
	o := oauth.RequesterFrom(ctx)
	if e.Address == "" && e.Device == "" {
		e.Address, e.Device = o.Address, o.DeviceName()
	}
	usual := e.Kind == Begun || e.Kind == Used
	if request := o.ID(); usual && request != "" {
		h.served.add(storage.TagRequest(request), family)
	}
	worth := worthNote
	switch {
	case usual:
		worth = h.worthOf(family, e)
	case e.Kind.repeatable() && !h.repeats.take(family, e):
		worth = worthNothing
	}
	switch worth {
	case worthNothing:
	case worthTime:
		h.enqueue(storage.Note{Family: family})
	case worthNote:
		if !usual { // these are few, and the ones that are asked about
			e.Request = o.ID()
		}
		h.add(family, e)
	}
}

// add queues an entry.
func (h *Recorder) add(family storage.FamilyID, e Entry) {
	text, err := e.encode()
	if err != nil {
		h.dropped.Add(1)
		return
	}
	n := storage.Note{Family: family, Text: text}
	if e.Request != "" {
		n.Request = storage.TagRequest(e.Request)
	}
	h.enqueue(n)
}

func (h *Recorder) enqueue(n storage.Note) {
	select {
	case h.queue <- n:
	default:
		h.dropped.Add(1)
	}
}

// worth is what becomes of a use.
type worth uint8

const (
	worthNothing worth = iota
	worthTime          // the history is prolonged
	worthNote
)

// worthOf says what a use is worth. It goes by what this node remembers, which is
// bounded: beyond that there is a note too many.
func (h *Recorder) worthOf(family storage.FamilyID, e Entry) worth {
	h.mu.Lock()
	defer h.mu.Unlock()
	was, known := h.used[family]
	age := e.Time.Sub(was.noted)
	same := known && was.address == e.Address && was.device == e.Device && age < storage.HistoryAge // else it is forgotten
	if same && age < historyRenew {
		return worthNothing
	}
	if len(h.used) >= historyUsed {
		clear(h.used)
	}
	h.used[family] = lastUse{e.Address, e.Device, e.Time}
	if same {
		return worthTime
	}
	return worthNote
}

// Run writes until ctx ends, and then what is still queued, for a moment.
func (h *Recorder) Run(ctx context.Context) {
	// A write that is under way at the end is not lost.
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, background.Safely(nil, func() {
		time.AfterFunc(historyDrain, background.Safely(nil, stop))
	}))()
	for {
		select {
		case first := <-h.queue:
			h.write(writing, first)
		case <-ctx.Done():
			for len(h.queue) > 0 && writing.Err() == nil {
				h.write(writing, <-h.queue)
			}
			return
		}
	}
}

// write writes a note and those that wait behind it.
func (h *Recorder) write(ctx context.Context, first storage.Note) {
	notes := []storage.Note{first}
	for len(notes) < historyBatch && len(h.queue) > 0 {
		notes = append(notes, <-h.queue)
	}
	if err := h.store.AppendHistory(ctx, notes); err != nil {
		h.dropped.Add(uint64(len(notes))) // the store itself tells of its trouble
	}
}

// Dropped returns how many notes were lost since the process began.
func (h *Recorder) Dropped() uint64 { return h.dropped.Load() }

// Of returns what happened to some families lately, each the oldest first. The
// error is oauth.TemporarilyUnavailable.
func (h *Recorder) Of(ctx context.Context, families ...storage.FamilyID) ([][]Entry, error) {
	notes, err := h.store.History(ctx, families)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	all := make([][]Entry, len(notes))
	for n, list := range notes {
		for k, note := range list {
			if k > 0 && string(note.Text) == string(list[k-1].Text) {
				continue // sent again after a lost reply
			}
			e, err := parseHistoryEntry(note.Text)
			if err != nil {
				continue // of a newer version
			}
			all[n] = append(all[n], e)
		}
	}
	return all, nil
}

// Served returns the family that this node has served a request about lately.
func (h *Recorder) Served(request storage.RequestTag) (storage.FamilyID, bool) {
	return h.served.family(request)
}
