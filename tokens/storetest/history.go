package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var historyCases = []testCase{
	{"notes come back in order", historyOrder},
	{"the first note and the newest stay", historyBound},
	{"a note without a text", historyProlonged},
	{"a request finds its family", historyRequest},
	{"survives reopening", historyReopen},
}

func (f *fixture) note(id storage.FamilyID, request, text string) {
	f.t.Helper()
	n := storage.Note{Family: id, Text: []byte(text)}
	if request != "" {
		n.Request = storage.TagRequest(request)
	}
	if err := f.s.AppendHistory(f.ctx(), []storage.Note{n}); err != nil {
		f.t.Fatalf("AppendHistory: %v", err)
	}
}

// notes returns the texts of some histories.
func (f *fixture) notes(families ...storage.FamilyID) string {
	f.t.Helper()
	all := Must(f.s.History(f.ctx(), families))(f.t)
	if len(all) != len(families) {
		f.t.Fatalf("%d histories of %d families", len(all), len(families))
	}
	var text strings.Builder
	for i, notes := range all {
		text.WriteString("/")
		for _, n := range notes {
			if n.Family != families[i] {
				f.t.Errorf("a note of another family")
			}
			text.Write(n.Text)
		}
	}
	return text.String()
}

func historyOrder(t *testing.T, f *fixture) {
	a, b, none := random[storage.FamilyID](), random[storage.FamilyID](), random[storage.FamilyID]()
	err := f.s.AppendHistory(f.ctx(), []storage.Note{
		{Family: a, Text: []byte("1")}, {Family: b, Text: []byte("2")}, {Family: a, Text: []byte("3")},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.note(a, "", "4")
	if got := f.notes(b, none, a); got != "/2//134" {
		t.Errorf("histories %s", got)
	}
	if got := f.notes(); got != "" {
		t.Errorf("histories of no family: %s", got)
	}
}

func historyBound(t *testing.T, f *fixture) {
	id := random[storage.FamilyID]()
	var want strings.Builder
	want.WriteString("/")
	for i := range 3 * storage.HistoryLength {
		f.note(id, "", fmt.Sprintf("%d,", i))
		if i == 0 || i > 2*storage.HistoryLength {
			fmt.Fprintf(&want, "%d,", i)
		}
	}
	if got := f.notes(id); got != want.String() {
		t.Errorf("history %s, want %s", got, want.String())
	}
	together := make([]storage.Note, 3*storage.HistoryLength)
	other := random[storage.FamilyID]()
	for i := range together {
		together[i] = storage.Note{Family: other, Text: fmt.Appendf(nil, "%d,", i)}
	}
	NoError(t, f.s.AppendHistory(f.ctx(), together))
	if got := f.notes(other); got != want.String() {
		t.Errorf("history of notes that came together %s, want %s", got, want.String())
	}
}

// historyProlonged: a note without a text only prolongs, and begins nothing.
func historyProlonged(t *testing.T, f *fixture) {
	a, b := random[storage.FamilyID](), random[storage.FamilyID]()
	f.note(a, "", "1")
	f.note(a, "", "")
	f.note(b, "", "")
	f.note(a, "", "2")
	if got := f.notes(a, b); got != "/12/" {
		t.Errorf("histories %s", got)
	}
}

func historyRequest(t *testing.T, f *fixture) {
	a, b := random[storage.FamilyID](), random[storage.FamilyID]()
	f.note(a, "first", "1")
	f.note(b, "second", "2")
	f.note(a, "second", "3")
	for request, want := range map[string]storage.FamilyID{"first": a, "second": a} {
		id, found, err := f.s.FamilyOfRequest(f.ctx(), storage.TagRequest(request))
		if err != nil || !found || id != want {
			t.Errorf("request %s: %v, found %t, %v", request, id, found, err)
		}
	}
	if _, found, err := f.s.FamilyOfRequest(f.ctx(), storage.TagRequest("third")); found || err != nil {
		t.Errorf("an unknown request: found %t, %v", found, err)
	}
}

func historyReopen(t *testing.T, f *fixture) {
	id := random[storage.FamilyID]()
	f.note(id, "", "1")
	f.reopen()
	f.note(id, "", "2")
	if got := f.notes(id); got != "/12" {
		t.Errorf("history %s", got)
	}
}
