package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var foldCases = []testCase{
	{"a long denylist is folded", foldTokens},
	{"what may still keep something from beginning stays", foldKeeps},
	{"a session stays ended for as long as a code lives", foldKeepsSession},
}

// denied reports whether a denylist denies a token that was issued at a time.
func denied(d storage.UserDenials, id storage.TokenID, issued time.Time) bool {
	for _, e := range d.Entries {
		if e.Kind == storage.DenyToken && e.ID == id || e.Kind == storage.DenyIssued && e.ID == storage.IssuedID(issued) {
			return true
		}
	}
	return false
}

// denyTokens denies n tokens of the user, some at once.
func (f *fixture) denyTokens(n int) {
	f.t.Helper()
	until := f.now().Add(denyFor)
	const together = 50
	for ; n > 0; n -= together {
		Concurrently(min(n, together), func(int) {
			if err := f.s.DenyToken(f.ctx(), f.user, random[storage.TokenID](), until); err != nil {
				f.t.Errorf("DenyToken: %v", err)
			}
		})
	}
}

func foldTokens(t *testing.T, f *fixture) {
	f.pass(time.Second)
	begun := f.now().Truncate(time.Second)
	longest := 0
	first := random[storage.TokenID]()
	NoError(t, f.s.DenyToken(f.ctx(), f.user, first, begun.Add(denyFor)))
	for range (storage.MaxDenials + 100) / 50 {
		f.denyTokens(50)
		longest = max(longest, len(f.denials().Entries))
	}
	d := f.denials()
	if longest > storage.MaxDenials || len(d.Entries) > 200 {
		t.Errorf("%d entries, at most %d", len(d.Entries), longest)
	}
	var folded *storage.Denial
	for i := range d.Entries {
		if d.Entries[i].Kind == storage.DenyIssued {
			folded = &d.Entries[i]
		}
	}
	if folded == nil || folded.Until.Before(begun.Add(denyFor)) {
		t.Fatalf("what stands for the entries that went: %+v", folded)
	}
	if denied(d, first, begun.Add(-time.Hour)) {
		t.Error("the first token's own entry is still there")
	}
	for at := f.now().Truncate(time.Second); ; at = at.Add(-time.Second) {
		if denied(d, first, at) {
			break
		}
		if at.Before(begun) {
			t.Fatalf("the denylist says %v of what was issued since %v", folded.ID, begun)
		}
	}
	if n := len(Must(f.s.Denials(f.ctx(), []storage.UserTag{random[storage.UserTag]()}))(t)[0].Entries); n != 0 {
		t.Errorf("another user has %d entries", n)
	}
}

// foldKeepsSession: the code of a device may come long after its session has ended.
func foldKeepsSession(t *testing.T, f *fixture) {
	f.needClock()
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
	f.pass(storage.FoldAfter + time.Minute)
	f.denyTokens(storage.MaxDenials / 2)
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: f.createRequest().ID}) // is newer
	f.denyTokens(storage.MaxDenials)
	if res := f.create(f.createRequest()); res.Created {
		t.Error("a family has begun in a session that was ended")
	}
}

// foldKeeps: a session that has just ended stays ended, and a family that never
// began can't begin late.
func foldKeeps(t *testing.T, f *fixture) {
	late := f.createRequest()
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: late.ID})
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
	f.denyTokens(storage.MaxDenials + 10)
	late.Session = storage.SessionID{}
	if res := f.create(late); res.Created {
		t.Error("a family that was ended has begun")
	}
	if res := f.create(f.createRequest()); res.Created {
		t.Error("a family has begun in a session that was ended")
	}
	kinds := make(map[storage.DenialKind]int)
	for _, e := range f.denials().Entries {
		kinds[e.Kind]++
	}
	if kinds[storage.DenySession] != 1 || kinds[storage.DenyFamily] != 1 || kinds[storage.DenyIssued] != 1 {
		t.Errorf("entries by kind: %v", kinds)
	}
}
