package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
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
	f.session = f.login(func(r *tokens.SessionRequest) { r.Lifetime = time.Hour })
}

// sessionsBounded: the session that is in use stays, and what applications hold
// by one that has to go goes on: nobody has signed out.
func sessionsBounded(t *testing.T, f *fixture) {
	f.needClock()
	used, first := f.session, f.login()
	family := f.family(func(r *tokens.CreateRequest) { r.Session = first.ID })
	code := random[tokens.CodeID]()
	f.putCode(code, first.ID, f.lifetime)
	var newest tokens.Session
	for range tokens.MaxSessions + 10 {
		f.pass(30 * time.Second)
		newest = f.login()
		f.wantSession(newest.ID, true)
		f.wantSession(used.ID, true)
	}
	held := must(f.s.Held(f.ctx(), f.user))(t)
	if len(held.Sessions) != tokens.MaxSessions {
		t.Errorf("%d sessions, want %d", len(held.Sessions), tokens.MaxSessions)
	}
	f.wantSession(first.ID, false)
	f.rotate(f.present(family, 1), tokens.Rotated, 2)
	f.take(code, tokens.CodeTaken)
	// One that replaces another makes no room: the others stay.
	f.login(func(r *tokens.SessionRequest) { r.Replaces = newest.ID })
	if after := must(f.s.Held(f.ctx(), f.user))(t); len(after.Sessions) != tokens.MaxSessions {
		t.Errorf("%d sessions, want %d", len(after.Sessions), tokens.MaxSessions)
	}
	f.wantSession(used.ID, true)
}

// putCodes puts codes one after the other.
func (f *fixture) putCodes(n int) []tokens.CodeID {
	f.t.Helper()
	ids := make([]tokens.CodeID, n)
	for i := range ids {
		ids[i] = f.code()
		f.pass(time.Millisecond)
	}
	return ids
}

// heldCodes returns what the store has of the user's codes.
func (f *fixture) heldCodes() (codes, bodies int) {
	f.t.Helper()
	noError(f.t, f.s.ScanUsers(f.ctx(), tokens.PartCodes, func(r tokens.Record) error {
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
	ids := f.putCodes(3 * tokens.MaxCodes)
	if codes, bodies := f.heldCodes(); codes > tokens.MaxCodeBodies || bodies != codes {
		t.Errorf("%d codes with %d bodies, want at most %d", codes, bodies, tokens.MaxCodeBodies)
	}
	f.take(ids[0], tokens.CodeUnknown)
	for _, id := range ids[len(ids)-tokens.MaxCodeBodies/2:] { // the newest are never in the way
		f.take(id, tokens.CodeTaken)
	}
}

func spentCodesBounded(t *testing.T, f *fixture) {
	f.settled()
	var ids []tokens.CodeID
	for range 3 * tokens.MaxCodes {
		ids = append(ids, f.code())
		f.take(ids[len(ids)-1], tokens.CodeTaken)
		f.pass(time.Millisecond)
	}
	if codes, bodies := f.heldCodes(); codes > tokens.MaxCodes || bodies > tokens.MaxCodeBodies {
		t.Errorf("%d codes with %d bodies, want at most %d with %d", codes, bodies, tokens.MaxCodes, tokens.MaxCodeBodies)
	}
	f.take(ids[0], tokens.CodeUnknown)
	for _, id := range ids[len(ids)-tokens.MaxCodes/2:] {
		f.take(id, tokens.CodeSpent)
	}
	good := f.code()
	f.pass(2 * time.Second)
	f.take(good, tokens.CodeTaken)
}

func familiesBounded(t *testing.T, f *fixture) {
	lasting := func(r *tokens.CreateRequest) { r.Lifetime, r.IdleLifetime = time.Hour, 0 }
	first := f.family(lasting)
	f.pass(1100 * time.Millisecond)
	clients := make([]tokens.ClientTag, 6)
	for i := range clients {
		clients[i] = tokens.TagClient(string(rune('a' + i)))
	}
	var made, evicted atomic.Int32
	add := func(n int, client tokens.ClientTag) {
		concurrently(n, func(int) {
			res, err := f.s.CreateFamily(f.ctx(), f.createRequest(lasting, func(r *tokens.CreateRequest) { r.Client = client }))
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
	if n := len(must(f.s.ListFamilies(f.ctx(), f.user))(t)); n != tokens.MaxFamilies || evicted.Load() != made.Load()+1-tokens.MaxFamilies {
		t.Errorf("%d live, %d evicted of %d and one", n, evicted.Load(), made.Load())
	}
	f.rotate(f.present(first, 1), tokens.RotateUnknown, 0)
	f.wantDenied(first.ID, time.Time{})
	f.pass(1100 * time.Millisecond)
	add(50, clients[0]) // evicts its own
	add(50, clients[5])
	live := must(f.s.ListFamilies(f.ctx(), f.user))(t)
	of := map[tokens.ClientTag]int{}
	for _, one := range live {
		of[one.Client]++
	}
	if len(live) != tokens.MaxFamilies || of[clients[5]] != 50 {
		t.Errorf("%d live, %d of the last client", len(live), of[clients[5]])
	}
}

// endsBounded: who ends what never began, again and again, gets a denylist that
// stays short, and what has ended still begins nothing.
func endsBounded(t *testing.T, f *fixture) {
	f.settled()
	never := f.createRequest(func(r *tokens.CreateRequest) { r.Session, r.Taken = tokens.SessionID{}, f.now() })
	f.end(tokens.EndRequest{Scope: tokens.EndFamily, Family: never.ID})
	gone := f.login()
	late := random[tokens.CodeID]()
	f.putCode(late, gone.ID, time.Minute)
	f.end(tokens.EndRequest{Scope: tokens.EndSession, Session: gone.ID})
	longest := 0
	for range 40 {
		concurrently(50, func(int) {
			r := tokens.EndRequest{User: f.user, Scope: tokens.EndFamily, Family: random[tokens.FamilyID](), DenyFor: denyFor, Attempt: random8[tokens.Attempt]()}
			if _, err := f.s.End(f.ctx(), r); err != nil {
				t.Errorf("End: %v", err)
			}
		})
		longest = max(longest, len(f.denials().Entries))
	}
	if longest > tokens.MaxDenials {
		t.Errorf("%d entries, want at most %d", longest, tokens.MaxDenials)
	}
	if f.create(never).Created {
		t.Error("a family that was ended has begun")
	}
	f.take(late, tokens.CodeUnknown)
	f.pass(1100 * time.Millisecond)
	f.take(f.code(), tokens.CodeTaken)
	f.family(func(r *tokens.CreateRequest) { r.Taken = f.now() })
}

// leadBounded: somebody signs in and out everywhere a thousand times, and then an
// operator ends a client, and everyone. Nobody else waits for that.
func leadBounded(t *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	for range 1000 {
		f.login()
		f.end(tokens.EndRequest{Scope: tokens.EndUser})
	}
	mallory := f.user
	if ahead := f.denials().Before.Sub(f.now()); ahead > tokens.MostAhead {
		t.Errorf("the sign-out lies %v ahead", ahead)
	}
	for _, client := range []tokens.ClientTag{app, tokens.Everyone} {
		f.pass(1100 * time.Millisecond) // of two ends in one second the second one shuts out for the rest of it
		if ahead := f.endForGood(client).Sub(f.now()); ahead > tokens.MostAhead {
			t.Errorf("the end of client %x lies %v ahead", client, ahead)
		}
		f.user = random[tokens.UserTag]()
		f.session = f.login()
		f.wantSession(f.session.ID, !f.loginOver())
		family := f.family()
		res := f.rotate(f.present(family, 1), tokens.Rotated, 2)
		if ahead := res.IssueAt.Sub(f.now()); ahead > tokens.MostAhead {
			t.Errorf("a token of another user is dated %v ahead", ahead)
		}
	}
	f.user = mallory
	f.pass(tokens.MostAhead + time.Second)
	f.session = f.login()
	f.rotate(f.present(f.family(), 1), tokens.Rotated, 2)
}

// endSaysNew: what was ended before is told apart, and the same call sent again
// gets the same answer.
func endSaysNew(t *testing.T, f *fixture) {
	f.needClock()
	family, never := f.family(), random[tokens.FamilyID]()
	other := f.login()
	for _, tt := range []struct {
		name  string
		end   tokens.EndRequest
		again bool // is new as well
	}{
		{"family", tokens.EndRequest{Scope: tokens.EndFamily, Family: family.ID}, false},
		{"family that never was", tokens.EndRequest{Scope: tokens.EndFamily, Family: never}, false},
		{"session", tokens.EndRequest{Scope: tokens.EndSession, Session: f.session.ID}, false},
		{"session only", tokens.EndRequest{Scope: tokens.EndSessionOnly, Session: other.ID}, false},
		{"user", tokens.EndRequest{Scope: tokens.EndUser}, true},
	} {
		tt.end.Attempt = random8[tokens.Attempt]()
		if !f.end(tt.end).New {
			t.Errorf("%s: not new", tt.name)
		}
		if tt.end.Scope != tokens.EndSessionOnly && !f.end(tt.end).New {
			t.Errorf("%s: sent again, not new", tt.name)
		}
		f.pass(time.Second)
		tt.end.Attempt = random8[tokens.Attempt]()
		if f.end(tt.end).New != tt.again {
			t.Errorf("%s: ended once more, new %v", tt.name, !tt.again)
		}
	}
}

func grantsEnd(t *testing.T, f *fixture) {
	f.needClock()
	text, good := []byte("openid offline_access"), tokens.GrantID{8}
	noError(t, f.s.PutGrant(f.ctx(), grant, text, 2*time.Second))
	noError(t, f.s.PutGrant(f.ctx(), good, text, time.Second))
	noError(t, f.s.PutGrant(f.ctx(), good, text, 0)) // for good
	noError(t, f.s.PutGrant(f.ctx(), good, text, time.Second))
	f.pass(500 * time.Millisecond)
	noError(t, f.s.PutGrant(f.ctx(), grant, text, 3*time.Second)) // kept longer
	noError(t, f.s.PutGrant(f.ctx(), grant, text, time.Millisecond))
	f.pass(2100 * time.Millisecond)
	if got := must(f.s.Grant(f.ctx(), grant))(t); string(got) != string(text) {
		t.Errorf("grant %q ended early", got)
	}
	f.pass(3 * time.Second)
	if got := must(f.s.Grant(f.ctx(), grant))(t); got != nil {
		t.Errorf("grant %q, want none any more", got)
	}
	if got := must(f.s.Grant(f.ctx(), good))(t); string(got) != string(text) {
		t.Errorf("grant %q, want one for good", got)
	}
}

func liveFamily(t *testing.T, f *fixture) {
	want := f.family()
	find := func(id tokens.FamilyID) (tokens.Family, bool) {
		got, found, err := f.s.LiveFamily(f.ctx(), f.user, id)
		noError(t, err)
		return got, found
	}
	if got, found := find(want.ID); !found || got != want {
		t.Errorf("found %v %+v, want %+v", found, got, want)
	}
	if _, found := find(random[tokens.FamilyID]()); found {
		t.Error("a family was found that never was")
	}
	f.pass(f.lifetime + time.Second)
	if _, found := find(want.ID); found {
		t.Error("a family is live that was not used for its idle lifetime")
	}
}
