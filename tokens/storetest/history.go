package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

var historyCases = []testCase{
	{"notes come back in order", historyOrder},
	{"the first note and the newest stay", historyBound},
	{"a note without a text", historyProlonged},
	{"a request finds its family", historyRequest},
	{"survives reopening", historyReopen},
}

func (f *fixture) note(id tokens.FamilyID, request, text string) {
	f.t.Helper()
	n := tokens.Note{Family: id, Text: []byte(text)}
	if request != "" {
		n.Request = tokens.TagRequest(request)
	}
	if err := f.s.AppendHistory(f.ctx(), []tokens.Note{n}); err != nil {
		f.t.Fatalf("AppendHistory: %v", err)
	}
}

// notes returns the texts of some histories.
func (f *fixture) notes(families ...tokens.FamilyID) string {
	f.t.Helper()
	all := must(f.s.History(f.ctx(), families))(f.t)
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
	a, b, none := random[tokens.FamilyID](), random[tokens.FamilyID](), random[tokens.FamilyID]()
	err := f.s.AppendHistory(f.ctx(), []tokens.Note{
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
	id := random[tokens.FamilyID]()
	var want strings.Builder
	want.WriteString("/")
	for i := range 3 * tokens.HistoryLength {
		f.note(id, "", fmt.Sprintf("%d,", i))
		if i == 0 || i > 2*tokens.HistoryLength {
			fmt.Fprintf(&want, "%d,", i)
		}
	}
	if got := f.notes(id); got != want.String() {
		t.Errorf("history %s, want %s", got, want.String())
	}
	together := make([]tokens.Note, 3*tokens.HistoryLength)
	other := random[tokens.FamilyID]()
	for i := range together {
		together[i] = tokens.Note{Family: other, Text: fmt.Appendf(nil, "%d,", i)}
	}
	noError(t, f.s.AppendHistory(f.ctx(), together))
	if got := f.notes(other); got != want.String() {
		t.Errorf("history of notes that came together %s, want %s", got, want.String())
	}
}

// historyProlonged: a note without a text only prolongs, and begins nothing.
func historyProlonged(t *testing.T, f *fixture) {
	a, b := random[tokens.FamilyID](), random[tokens.FamilyID]()
	f.note(a, "", "1")
	f.note(a, "", "")
	f.note(b, "", "")
	f.note(a, "", "2")
	if got := f.notes(a, b); got != "/12/" {
		t.Errorf("histories %s", got)
	}
}

func historyRequest(t *testing.T, f *fixture) {
	a, b := random[tokens.FamilyID](), random[tokens.FamilyID]()
	f.note(a, "first", "1")
	f.note(b, "second", "2")
	f.note(a, "second", "3")
	for request, want := range map[string]tokens.FamilyID{"first": a, "second": a} {
		id, found, err := f.s.FamilyOfRequest(f.ctx(), tokens.TagRequest(request))
		if err != nil || !found || id != want {
			t.Errorf("request %s: %v, found %t, %v", request, id, found, err)
		}
	}
	if _, found, err := f.s.FamilyOfRequest(f.ctx(), tokens.TagRequest("third")); found || err != nil {
		t.Errorf("an unknown request: found %t, %v", found, err)
	}
}

func historyReopen(t *testing.T, f *fixture) {
	id := random[tokens.FamilyID]()
	f.note(id, "", "1")
	f.reopen()
	f.note(id, "", "2")
	if got := f.notes(id); got != "/12" {
		t.Errorf("history %s", got)
	}
}
