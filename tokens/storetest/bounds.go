package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// boundCases: no call does work that grows with what one user has done before.
var boundCases = []testCase{
	{"A3: sessions, the least used out", sessionsBounded},
	{"A1: codes, the oldest out", codesBounded},
	{"A1: spent codes are small, and not many", spentCodesBounded},
	{"A1: families over all clients, the oldest out", familiesBounded},
	{"A1: ends of what never began", endsBounded},
	{"A2: nobody moves dates far ahead", leadBounded},
	{"A7: an end says whether it was new", endSaysNew},
	{"A11: grants end", grantsEnd},
	{"one live family", liveFamily},
}

// settled gives the fixture a session that outlives the case, however long that takes.
func (f *fixture) settled() {
	f.session = f.login(func(r *storage.SessionRequest) { r.Lifetime = time.Hour })
}

// sessionsBounded: the session that is in use stays, and what applications hold
// by one that has to go goes on: nobody has signed out.
func sessionsBounded(t *testing.T, f *fixture) {
	f.needClock()
	used, first := f.session, f.login()
	family := f.family(func(r *storage.CreateRequest) { r.Session = first.ID })
	code := random[storage.CodeID]()
	f.putCode(code, first.ID, f.lifetime)
	var newest storage.Session
	for range storage.MaxSessions + 10 {
		f.pass(30 * time.Second)
		newest = f.login()
		f.wantSession(newest.ID, true)
		f.wantSession(used.ID, true)
	}
	held := Must(f.s.Held(f.ctx(), f.user))(t)
	if len(held.Sessions) != storage.MaxSessions {
		t.Errorf("%d sessions, want %d", len(held.Sessions), storage.MaxSessions)
	}
	f.wantSession(first.ID, false)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.take(code, storage.CodeTaken)
	// One that replaces another makes no room: the others stay.
	f.login(func(r *storage.SessionRequest) { r.Replaces = newest.ID })
	if after := Must(f.s.Held(f.ctx(), f.user))(t); len(after.Sessions) != storage.MaxSessions {
		t.Errorf("%d sessions, want %d", len(after.Sessions), storage.MaxSessions)
	}
	f.wantSession(used.ID, true)
}

// putCodes puts codes one after the other.
func (f *fixture) putCodes(n int) []storage.CodeID {
	f.t.Helper()
	ids := make([]storage.CodeID, n)
	for i := range ids {
		ids[i] = f.code()
		f.pass(time.Millisecond)
	}
	return ids
}

// heldCodes returns what the store has of the user's codes.
func (f *fixture) heldCodes() (codes, bodies int) {
	f.t.Helper()
	NoError(f.t, f.s.ScanUsers(f.ctx(), storage.PartCodes, func(r storage.Record) error {
		for _, c := range r.Codes.Codes {
			codes++
			if c.Body != nil {
				bodies++
			}
		}
		return nil
	}))
	return codes, bodies
}

func codesBounded(t *testing.T, f *fixture) {
	f.settled()
	ids := f.putCodes(3 * storage.MaxCodes)
	if codes, bodies := f.heldCodes(); codes > storage.MaxCodeBodies || bodies != codes {
		t.Errorf("%d codes with %d bodies, want at most %d", codes, bodies, storage.MaxCodeBodies)
	}
	f.take(ids[0], storage.CodeUnknown)
	for _, id := range ids[len(ids)-storage.MaxCodeBodies/2:] { // the newest are never in the way
		f.take(id, storage.CodeTaken)
	}
}

func spentCodesBounded(t *testing.T, f *fixture) {
	f.settled()
	var ids []storage.CodeID
	for range 3 * storage.MaxCodes {
		ids = append(ids, f.code())
		f.take(ids[len(ids)-1], storage.CodeTaken)
		f.pass(time.Millisecond)
	}
	if codes, bodies := f.heldCodes(); codes > storage.MaxCodes || bodies > storage.MaxCodeBodies {
		t.Errorf("%d codes with %d bodies, want at most %d with %d", codes, bodies, storage.MaxCodes, storage.MaxCodeBodies)
	}
	f.take(ids[0], storage.CodeUnknown)
	for _, id := range ids[len(ids)-storage.MaxCodes/2:] {
		f.take(id, storage.CodeSpent)
	}
	good := f.code()
	f.pass(2 * time.Second)
	f.take(good, storage.CodeTaken)
}

func familiesBounded(t *testing.T, f *fixture) {
	lasting := func(r *storage.CreateRequest) { r.Lifetime, r.IdleLifetime = time.Hour, 0 }
	first := f.family(lasting)
	f.pass(1100 * time.Millisecond)
	clients := make([]storage.ClientTag, 6)
	for i := range clients {
		clients[i] = storage.TagClient(string(rune('a' + i)))
	}
	var made, evicted atomic.Int32
	add := func(n int, client storage.ClientTag) {
		Concurrently(n, func(int) {
			res, err := f.s.CreateFamily(f.ctx(), f.createRequest(lasting, func(r *storage.CreateRequest) { r.Client = client }))
			if err != nil || !res.Created {
				t.Errorf("CreateFamily: created %v, %v", res.Created, err)
			}
			made.Add(1)
			evicted.Add(int32(len(res.Evicted)))
		})
	}
	for _, client := range clients[:5] {
		add(55, client)
		add(55, client)
	}
	if n := len(Must(f.s.ListFamilies(f.ctx(), f.user))(t)); n != storage.MaxFamilies || evicted.Load() != made.Load()+1-storage.MaxFamilies {
		t.Errorf("%d live, %d evicted of %d and one", n, evicted.Load(), made.Load())
	}
	f.rotate(f.present(first, 1), storage.RotateUnknown, 0)
	f.wantDenied(first.ID, time.Time{})
	f.pass(1100 * time.Millisecond)
	add(50, clients[0]) // evicts its own
	add(50, clients[5])
	live := Must(f.s.ListFamilies(f.ctx(), f.user))(t)
	of := map[storage.ClientTag]int{}
	for _, one := range live {
		of[one.Client]++
	}
	if len(live) != storage.MaxFamilies || of[clients[5]] != 50 {
		t.Errorf("%d live, %d of the last client", len(live), of[clients[5]])
	}
}

// endsBounded: who ends what never began, again and again, gets a denylist that
// stays short, and what has ended still begins nothing.
func endsBounded(t *testing.T, f *fixture) {
	f.settled()
	never := f.createRequest(func(r *storage.CreateRequest) { r.Session, r.Taken = storage.SessionID{}, f.now() })
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: never.ID})
	gone := f.login()
	late := random[storage.CodeID]()
	f.putCode(late, gone.ID, time.Minute)
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: gone.ID})
	longest := 0
	for range 40 {
		Concurrently(50, func(int) {
			r := storage.EndRequest{User: f.user, Scope: storage.EndFamily, Family: random[storage.FamilyID](), DenyFor: denyFor, Attempt: random8[storage.Attempt]()}
			if _, err := f.s.End(f.ctx(), r); err != nil {
				t.Errorf("End: %v", err)
			}
		})
		longest = max(longest, len(f.denials().Entries))
	}
	if longest > storage.MaxDenials {
		t.Errorf("%d entries, want at most %d", longest, storage.MaxDenials)
	}
	if f.create(never).Created {
		t.Error("a family that was ended has begun")
	}
	f.take(late, storage.CodeUnknown)
	f.pass(1100 * time.Millisecond)
	f.take(f.code(), storage.CodeTaken)
	f.family(func(r *storage.CreateRequest) { r.Taken = f.now() })
}

// leadBounded: somebody signs in and out everywhere a thousand times, and then an
// operator ends a client, and everyone. Nobody else waits for that.
func leadBounded(t *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	for range 1000 {
		f.login()
		f.end(storage.EndRequest{Scope: storage.EndUser})
	}
	mallory := f.user
	if ahead := f.denials().Before.Sub(f.now()); ahead > storage.MostAhead {
		t.Errorf("the sign-out lies %v ahead", ahead)
	}
	for _, client := range []storage.ClientTag{app, storage.Everyone} {
		f.pass(1100 * time.Millisecond) // of two ends in one second the second one shuts out for the rest of it
		if ahead := f.endForGood(client).Sub(f.now()); ahead > storage.MostAhead {
			t.Errorf("the end of client %x lies %v ahead", client, ahead)
		}
		f.user = random[storage.UserTag]()
		f.session = f.login()
		f.wantSession(f.session.ID, !f.loginOver())
		family := f.family()
		res := f.rotate(f.present(family, 1), storage.Rotated, 2)
		if ahead := res.IssueAt.Sub(f.now()); ahead > storage.MostAhead {
			t.Errorf("a token of another user is dated %v ahead", ahead)
		}
	}
	f.user = mallory
	f.pass(storage.MostAhead + time.Second)
	f.session = f.login()
	f.rotate(f.present(f.family(), 1), storage.Rotated, 2)
}

// endSaysNew: what was ended before is told apart, and the same call sent again
// gets the same answer.
func endSaysNew(t *testing.T, f *fixture) {
	f.needClock()
	family, never := f.family(), random[storage.FamilyID]()
	for _, tt := range []struct {
		name  string
		end   storage.EndRequest
		again bool // is new as well
	}{
		{"family", storage.EndRequest{Scope: storage.EndFamily, Family: family.ID}, false},
		{"family that never was", storage.EndRequest{Scope: storage.EndFamily, Family: never}, false},
		{"session", storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}, false},
		{"user", storage.EndRequest{Scope: storage.EndUser}, true},
	} {
		tt.end.Attempt = random8[storage.Attempt]()
		if !f.end(tt.end).New {
			t.Errorf("%s: not new", tt.name)
		}
		if !f.end(tt.end).New {
			t.Errorf("%s: sent again, not new", tt.name)
		}
		f.pass(time.Second)
		tt.end.Attempt = random8[storage.Attempt]()
		if f.end(tt.end).New != tt.again {
			t.Errorf("%s: ended once more, new %v", tt.name, !tt.again)
		}
	}
}

func grantsEnd(t *testing.T, f *fixture) {
	f.needClock()
	text, good := []byte("openid offline_access"), storage.GrantID{8}
	NoError(t, f.s.PutGrant(f.ctx(), grant, text, 2*time.Second))
	NoError(t, f.s.PutGrant(f.ctx(), good, text, time.Second))
	NoError(t, f.s.PutGrant(f.ctx(), good, text, 0)) // for good
	NoError(t, f.s.PutGrant(f.ctx(), good, text, time.Second))
	f.pass(500 * time.Millisecond)
	NoError(t, f.s.PutGrant(f.ctx(), grant, text, 3*time.Second)) // kept longer
	NoError(t, f.s.PutGrant(f.ctx(), grant, text, time.Millisecond))
	f.pass(2100 * time.Millisecond)
	if got := Must(f.s.Grant(f.ctx(), grant))(t); string(got) != string(text) {
		t.Errorf("grant %q ended early", got)
	}
	f.pass(3 * time.Second)
	if got := Must(f.s.Grant(f.ctx(), grant))(t); got != nil {
		t.Errorf("grant %q, want none any more", got)
	}
	if got := Must(f.s.Grant(f.ctx(), good))(t); string(got) != string(text) {
		t.Errorf("grant %q, want one for good", got)
	}
}

func liveFamily(t *testing.T, f *fixture) {
	want := f.family()
	find := func(id storage.FamilyID) (storage.Family, bool) {
		got, found, err := f.s.LiveFamily(f.ctx(), f.user, id)
		NoError(t, err)
		return got, found
	}
	if got, found := find(want.ID); !found || got != want {
		t.Errorf("found %v %+v, want %+v", found, got, want)
	}
	if _, found := find(random[storage.FamilyID]()); found {
		t.Error("a family was found that never was")
	}
	f.pass(f.lifetime + time.Second)
	if _, found := find(want.ID); found {
		t.Error("a family is live that was not used for its idle lifetime")
	}
}
