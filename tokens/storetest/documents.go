package storetest

import (
	"bytes"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var documentCases = []testCase{
	{"kept and replaced", documentKept},
	{"taken back", documentTakenBack},
	{"ends", documentEnds},
	{"what was asked for later wins", documentNewer},
	{"no more than so many", documentBound},
	{"moves", documentMoves},
}

func documentID(n int) storage.DocumentID {
	return storage.DocumentIDOf("https://a.example/" + strconv.Itoa(n))
}

// putDocument keeps a document that the host has shown just now.
func (f *fixture) putDocument(id storage.DocumentID, text []byte, change ...func(*storage.DocumentRequest)) {
	f.t.Helper()
	f.putDocumentAs(true, id, text, change...)
}

func (f *fixture) putDocumentAs(want bool, id storage.DocumentID, text []byte, change ...func(*storage.DocumentRequest)) {
	f.t.Helper()
	r := storage.DocumentRequest{ID: id, Text: text, AsOf: f.now(), Lifetime: f.lifetime}
	for _, c := range change {
		c(&r)
	}
	if kept, err := f.s.PutDocument(f.ctx(), r); err != nil || kept != want {
		f.t.Errorf("%q is kept: %t, want %t (%v)", text, kept, want, err)
	}
}

func expected(r *storage.DocumentRequest) { r.Expected = true }

func (f *fixture) wantDocument(id storage.DocumentID, want []byte) {
	f.t.Helper()
	if got := Must(f.s.Document(f.ctx(), id))(f.t); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		f.t.Errorf("the document is %q, want %q", got, want)
	}
}

func documentKept(_ *testing.T, f *fixture) {
	large := bytes.Repeat([]byte{'\xff', 0}, storage.MaxDocument/2)
	f.wantDocument(documentID(1), nil)
	f.putDocument(documentID(1), []byte("{}"))
	f.putDocument(documentID(2), large)
	f.wantDocument(documentID(1), []byte("{}"))
	f.putDocument(documentID(1), []byte("{1}"))
	f.reopen()
	f.wantDocument(documentID(1), []byte("{1}"))
	f.wantDocument(documentID(2), large)
}

func documentTakenBack(_ *testing.T, f *fixture) {
	f.putDocument(documentID(1), nil) // there was none
	f.putDocument(documentID(1), []byte("{}"))
	f.putDocument(documentID(1), nil)
	f.wantDocument(documentID(1), nil)
	f.putDocument(documentID(1), []byte("{1}")) // the host has it again
	f.wantDocument(documentID(1), []byte("{1}"))
}

func documentEnds(_ *testing.T, f *fixture) {
	f.putDocument(documentID(1), []byte("{}"), func(r *storage.DocumentRequest) { r.Lifetime *= 2 })
	f.putDocument(documentID(1), []byte("{}")) // the last one says how long
	f.putDocument(documentID(2), []byte("{2}"), func(r *storage.DocumentRequest) { r.Lifetime *= 3 })
	f.wantDocument(documentID(1), []byte("{}"))
	old := f.now()
	f.pass(f.lifetime + time.Second)
	f.wantDocument(documentID(1), nil)
	f.wantDocument(documentID(2), []byte("{2}"))
	// What is over says nothing of how new another one is.
	f.putDocument(documentID(1), []byte("{1}"), func(r *storage.DocumentRequest) { r.AsOf = old.Add(-time.Hour) })
	f.wantDocument(documentID(1), []byte("{1}"))
}

// documentNewer: whichever node writes last, what the host was asked for last counts, and that
// there is none any more, too.
func documentNewer(_ *testing.T, f *fixture) {
	asked := f.now()
	at := func(d time.Duration) func(*storage.DocumentRequest) {
		return func(r *storage.DocumentRequest) { r.AsOf = asked.Add(d) }
	}
	f.putDocument(documentID(1), []byte("new"), at(2*time.Millisecond))
	f.putDocumentAs(false, documentID(1), []byte("old"), at(time.Millisecond))
	f.putDocumentAs(false, documentID(1), nil, at(time.Millisecond))
	f.wantDocument(documentID(1), []byte("new"))
	f.putDocument(documentID(1), []byte("new, with other keys"), at(2*time.Millisecond))
	f.wantDocument(documentID(1), []byte("new, with other keys"))
	f.putDocument(documentID(1), nil, at(3*time.Millisecond))
	f.putDocumentAs(false, documentID(1), []byte("old"), at(2*time.Millisecond))
	f.reopen()
	f.putDocumentAs(false, documentID(1), []byte("old"), at(2*time.Millisecond))
	f.wantDocument(documentID(1), nil)
	f.putDocument(documentID(1), []byte("newest"), at(4*time.Millisecond))
	f.wantDocument(documentID(1), []byte("newest"))
}

// documentBound: one too many drops the one that was written first, and those that nobody expects
// before the others.
func documentBound(t *testing.T, f *fixture) {
	f.needClock()
	f.putDocument(documentID(0), []byte("expected"), expected)
	for n := 1; n <= 3; n++ {
		f.putDocument(documentID(n), []byte("{}"))
		f.pass(time.Second)
	}
	f.putDocument(documentID(1), []byte("{}")) // used again
	f.pass(time.Second)
	var all sync.WaitGroup
	next := make(chan int)
	for range 16 {
		all.Go(func() {
			for n := range next {
				f.putDocument(documentID(n), []byte("{}"))
			}
		})
	}
	for n := 4; n < storage.MaxDocuments+2; n++ { // two too many
		next <- n
	}
	close(next)
	all.Wait()
	for n, want := range map[int][]byte{0: []byte("expected"), 1: []byte("{}"), 2: nil, 3: nil, 4: []byte("{}"), storage.MaxDocuments + 1: []byte("{}")} {
		if got := Must(f.s.Document(f.ctx(), documentID(n)))(t); !bytes.Equal(got, want) {
			t.Errorf("document %d is %q, want %q", n, got, want)
		}
	}
	kept := 0
	for _, r := range f.export() {
		if r.Document != nil {
			kept++
		}
	}
	if kept != storage.MaxDocuments {
		t.Errorf("%d documents are kept, want %d", kept, storage.MaxDocuments)
	}
}

// documentMoves: documents go along, with their ends, and with how new they are.
func documentMoves(_ *testing.T, f *fixture) {
	asked := f.now()
	old := func(r *storage.DocumentRequest) { r.AsOf = asked.Add(-time.Second) }
	f.putDocument(documentID(1), []byte("{}"), expected)
	f.putDocument(documentID(2), nil)
	f.putDocument(documentID(3), []byte("{3}"), func(r *storage.DocumentRequest) { r.Lifetime *= 3 })
	f.move()
	f.wantDocument(documentID(1), []byte("{}"))
	f.putDocumentAs(false, documentID(1), []byte("old"), old)
	f.putDocumentAs(false, documentID(2), []byte("old"), old)
	f.wantDocument(documentID(2), nil)
	f.pass(f.lifetime + 2*time.Second)
	f.wantDocument(documentID(1), nil)
	f.wantDocument(documentID(3), []byte("{3}"))
}
