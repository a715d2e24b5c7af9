package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var documentCases = []testCase{
	{"kept and replaced", documentKept},
	{"removed", documentRemoved},
	{"ends", documentEnds},
	{"stays behind", documentStays},
}

func (f *fixture) putDocument(id storage.DocumentID, text []byte, lifetime time.Duration) {
	f.t.Helper()
	NoError(f.t, f.s.PutDocument(f.ctx(), storage.DocumentRequest{ID: id, Text: text, Lifetime: lifetime}))
}

func (f *fixture) wantDocument(id storage.DocumentID, want []byte) {
	f.t.Helper()
	if got := Must(f.s.Document(f.ctx(), id))(f.t); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		f.t.Errorf("the document is %q, want %q", got, want)
	}
}

func documentKept(_ *testing.T, f *fixture) {
	id, other, large := storage.DocumentIDOf("https://a.example/a"), storage.DocumentIDOf("https://a.example/b"), bytes.Repeat([]byte{'\xff', 0}, storage.MaxDocument/2)
	f.wantDocument(id, nil)
	f.putDocument(id, []byte("{}"), f.lifetime)
	f.putDocument(other, large, f.lifetime)
	f.wantDocument(id, []byte("{}"))
	f.putDocument(id, []byte("{1}"), f.lifetime)
	f.reopen()
	f.wantDocument(id, []byte("{1}"))
	f.wantDocument(other, large)
}

func documentRemoved(_ *testing.T, f *fixture) {
	id := random[storage.DocumentID]()
	f.putDocument(id, nil, 0) // there is none
	f.putDocument(id, []byte("{}"), f.lifetime)
	f.putDocument(id, nil, 0)
	f.wantDocument(id, nil)
}

func documentEnds(_ *testing.T, f *fixture) {
	id := random[storage.DocumentID]()
	f.putDocument(id, []byte("{}"), 2*f.lifetime)
	f.putDocument(id, []byte("{}"), f.lifetime) // the last one says how long
	f.wantDocument(id, []byte("{}"))
	f.pass(f.lifetime + time.Second)
	f.wantDocument(id, nil)
}

func documentStays(_ *testing.T, f *fixture) {
	id := random[storage.DocumentID]()
	f.putDocument(id, []byte("{}"), f.lifetime)
	f.move()
	f.wantDocument(id, nil)
}
