package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var everyoneCases = []testCase{
	{"ends what was begun", everyoneEnds},
	{"logins in that second", everyoneSecond},
	{"what is dated ahead of the clock", everyoneAhead},
	{"a client's family dated ahead of the clock", endClientAhead},
	{"a family that is asked for again", everyoneAgain},
	{"after the end of a client", everyoneAfterClient},
	{"survives reopening", everyoneReopen},
}

// keeps reports whether a code is kept for the fixture's session, and names it.
func (f *fixture) keeps() (id storage.CodeID, kept bool) {
	f.t.Helper()
	id = random[storage.CodeID]()
	return id, !f.loginOver() && Must(f.s.PutCode(f.ctx(), storage.PutRequest{
		User: f.user, ID: id, Session: f.session.ID, Body: codeBody, Lifetime: time.Minute,
	}))(f.t) == storage.PutKept
}

// signedIn reports whether the fixture's session goes on.
func (f *fixture) signedIn() bool {
	f.t.Helper()
	_, _, found, err := f.s.Session(f.ctx(), f.user, f.session.ID, 0, storage.ClientTag{})
	NoError(f.t, err)
	return found && !f.loginOver()
}

// wantOver demands that nothing comes of the fixture's login any more, though
// no request knows the watermark, unless it must.
func (f *fixture) wantOver(id storage.CodeID, families ...storage.Family) {
	f.t.Helper()
	if f.signedIn() {
		f.t.Error("the session goes on")
	}
	if _, kept := f.keeps(); kept {
		f.t.Error("a code was kept for a session that is over")
	}
	if res := Must(f.s.TakeCode(f.ctx(), f.takeRequest(id)))(f.t); res.Outcome == storage.CodeTaken && !f.loginOver() && f.session.Begun.After(res.Ended) {
		f.t.Errorf("a code of a login %v is good, ended %v", f.session.Begun, res.Ended)
	}
	if !f.loginOver() && f.create(f.createRequest()).Created {
		f.t.Error("a family began by a login that is over")
	}
	for _, family := range families {
		f.rotate(f.present(family, 1, func(r *storage.RotateRequest) { r.Client = family.Client }), storage.RotateUnknown, 0)
	}
}

func everyoneEnds(t *testing.T, f *fixture) {
	mine, theirs := f.family(), f.family(func(r *storage.CreateRequest) { r.Client = otherApp })
	id, kept := f.keeps()
	if !kept || !f.signedIn() {
		t.Fatal("the login is not good")
	}
	if res := f.take(id, storage.CodeTaken); !res.Ended.IsZero() {
		t.Errorf("before any end: %+v", res)
	}
	id = f.code()
	f.toSecond(100 * time.Millisecond)
	now := f.now()
	mark := f.endEveryone()
	if mark.Unix() != now.Unix() && mark.Unix() != f.now().Unix() {
		t.Errorf("ended until %v at %v", mark, now)
	}
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); len(marks) != 1 || !marks[storage.Everyone].Before.Equal(mark) {
		t.Errorf("watermarks %v, want everyone's %v", marks, mark)
	}
	f.wantOver(id, mine, theirs)
	if got := Must(f.s.Profile(f.ctx(), f.user))(t); !sameProfile(got, profile) {
		t.Errorf("profile %+v", got)
	}
}

func everyoneSecond(t *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	mark := f.endEveryone()
	f.session = f.login()
	if !f.session.Begun.After(mark) {
		t.Fatalf("a login after %v is dated %v", mark, f.session.Begun)
	}
	if !f.signedIn() {
		t.Error("a login after the end is over")
	}
	id, kept := f.keeps()
	if !kept {
		t.Error("a code was not kept after a new login")
	}
	if res := f.take(id, storage.CodeTaken); !newest(res.Ended, f.known[storage.Everyone]).Equal(mark) {
		t.Errorf("taken: %+v, want ended %v", res, mark)
	}
	know := func(r *storage.CreateRequest) { r.BegunAfter = mark }
	family := f.family(know)
	if !family.Created.After(mark) {
		t.Errorf("a family after %v is dated %v", mark, family.Created)
	}
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	for range 10 { // a script that repeats itself does not shut the next logins out
		if mark = f.endEveryone(); mark.After(f.now().Add(2 * time.Second)) {
			t.Errorf("ended until %v at %v", mark, f.now())
		}
	}
	f.wantOver(id, family)
}

func everyoneAhead(_ *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	for range 2 {
		f.end(storage.EndRequest{Scope: storage.EndUser})
		f.session = f.login() // dated a second later, each time
	}
	id := f.code()
	family := f.family()
	f.endForGood(storage.Everyone)
	f.wantOver(id, family)
}

func endClientAhead(t *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	for range 2 {
		f.end(storage.EndRequest{Scope: storage.EndUser})
		f.session = f.login()
	}
	res := f.create(f.createRequest())
	if mark := f.endForGood(app); mark.Before(res.IssueAt.Truncate(time.Second)) {
		t.Errorf("a token issued %v escapes the watermark set after it (%v)", res.IssueAt, mark)
	}
	f.rotate(f.present(res.Family, 1), storage.RotateUnknown, 0)
	if !f.signedIn() {
		t.Error("the end of a client has ended the session")
	}
}

func everyoneAgain(t *testing.T, f *fixture) {
	r := f.createRequest()
	for range 2 {
		if !f.create(r).Created {
			t.Fatal("the family was not created")
		}
	}
	f.toSecond(100 * time.Millisecond)
	f.endEveryone()
	r.BegunAfter = f.begunAfter(app)
	if f.create(r).Created {
		t.Error("the same call sent again after the end is told of a family")
	}
}

func everyoneAfterClient(t *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	mark := f.endClient(app)
	// A machine's token is dated by a node that knows the mark.
	dated := mark.Add(time.Second)
	if all := f.endEveryone(); f.now().Before(dated) && all.Before(dated) {
		t.Errorf("a token issued %v escapes the end of everyone (%v)", dated, all)
	}
}

func everyoneReopen(_ *testing.T, f *fixture) {
	id := f.code()
	family := f.family()
	f.toSecond(100 * time.Millisecond)
	f.endEveryone()
	f.reopen()
	f.wantOver(id, family)
}
