package storetest

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var codeCases = []testCase{
	{"taken once", codeTaken},
	{"same attempt again", codeAgain},
	{"same attempt, long afterwards", codeAgainLate},
	{"unknown", codeUnknown},
	{"expires", codeExpires},
	{"spent codes are remembered", codeRemembered},
	{"put again", codePutAgain},
	{"session ended", codeSessionEnded},
	{"sign-out that is told late", codeToldLate},
	{"100 at once", codeConcurrently},
	{"survives reopening", codeReopen},
}

var (
	codeBody  = []byte(`{"client":"app"}`)
	codeOwner = [16]byte{4, 5, 6}
)

// code puts a code.
func (f *fixture) code() storage.CodeID {
	f.t.Helper()
	id := random[storage.CodeID]()
	f.putCode(id, f.session.ID, time.Minute)
	return id
}

// putCode puts a code that a live session gets.
func (f *fixture) putCode(id storage.CodeID, session storage.SessionID, lifetime time.Duration) {
	f.t.Helper()
	r := storage.PutRequest{User: f.user, ID: id, Session: session, Owner: codeOwner, Body: codeBody, Lifetime: lifetime}
	if kept := Must(f.s.PutCode(f.ctx(), r))(f.t); kept != storage.PutKept {
		f.t.Fatal("PutCode: a live session got no code")
	}
}

func (f *fixture) takeRequest(id storage.CodeID) storage.TakeRequest {
	return storage.TakeRequest{User: f.user, ID: id, BegunAfter: f.begunAfter(app), DenyFor: denyFor, Attempt: random8[storage.Attempt]()}
}

func (f *fixture) take(id storage.CodeID, want storage.CodeOutcome) storage.TakeResult {
	f.t.Helper()
	return f.takeAs(f.takeRequest(id), want)
}

func (f *fixture) takeAs(r storage.TakeRequest, want storage.CodeOutcome) storage.TakeResult {
	f.t.Helper()
	res := Must(f.s.TakeCode(f.ctx(), r))(f.t)
	if res.Outcome != want {
		f.t.Fatalf("TakeCode: outcome %d, want %d", res.Outcome, want)
	}
	if known := want != storage.CodeUnknown; res.TakenAt.IsZero() == known || (res.Owner == codeOwner) != (want == storage.CodeSpent) {
		f.t.Errorf("TakeCode: outcome %d, taken %v, owner %x", want, res.TakenAt, res.Owner)
	}
	if taken := want == storage.CodeTaken; bytes.Equal(res.Body, codeBody) != taken {
		f.t.Errorf("TakeCode: outcome %d with body %q", want, res.Body)
	}
	if taken := want == storage.CodeTaken; sameProfile(res.Profile, profile) != taken || res.IssueAt.IsZero() == taken {
		f.t.Errorf("TakeCode: outcome %d with profile %+v, issued %v", want, res.Profile, res.IssueAt)
	}
	return res
}

func codeTaken(t *testing.T, f *fixture) {
	id, other := f.code(), f.code()
	before := f.now()
	first := f.take(id, storage.CodeTaken)
	if first.TakenAt.Before(before) || first.TakenAt.After(first.Now) || first.Now.After(f.now()) {
		t.Errorf("taken %v, now %v", first.TakenAt, first.Now)
	}
	f.pass(500 * time.Millisecond)
	second := f.take(id, storage.CodeSpent)
	if !second.TakenAt.Equal(first.TakenAt) || second.Now.Sub(second.TakenAt) < 500*time.Millisecond {
		t.Errorf("spent: taken %v at %v, first %v", second.TakenAt, second.Now, first.TakenAt)
	}
	f.take(other, storage.CodeTaken)
}

func codeAgain(t *testing.T, f *fixture) {
	r := f.takeRequest(f.code())
	first := f.takeAs(r, storage.CodeTaken)
	f.pass(100 * time.Millisecond)
	again := f.takeAs(r, storage.CodeTaken)
	if !again.TakenAt.Equal(first.TakenAt) {
		t.Error("sending the call again moved the time")
	}
	f.take(r.ID, storage.CodeSpent)
	f.takeAs(r, storage.CodeTaken)
}

// The body goes when the code would have ended. Who comes again by the attempt that
// has taken it hears that, and is not taken for somebody else.
func codeAgainLate(t *testing.T, f *fixture) {
	r := f.takeRequest(f.code())
	f.takeAs(r, storage.CodeTaken)
	f.pass(2 * time.Minute)
	again := Must(f.s.TakeCode(f.ctx(), r))(t)
	if again.Outcome != storage.CodeTaken && (again.Outcome != storage.CodeSpent || !again.Mine) {
		t.Errorf("by the same attempt: %+v", again)
	}
	if other := f.take(r.ID, storage.CodeSpent); other.Mine {
		t.Error("another attempt is taken for the first")
	}
}

func codeUnknown(_ *testing.T, f *fixture) {
	f.take(random[storage.CodeID](), storage.CodeUnknown)
	id := f.code()
	alice := f.user
	f.user = random[storage.UserTag]()
	f.take(id, storage.CodeUnknown)
	f.user = alice
	f.take(id, storage.CodeTaken)
}

func codeExpires(t *testing.T, f *fixture) {
	id := random[storage.CodeID]()
	f.putCode(id, f.session.ID, time.Second)
	f.pass(1100 * time.Millisecond)
	f.take(id, storage.CodeUnknown)
}

func codeRemembered(_ *testing.T, f *fixture) {
	f.needClock()
	id := f.code()
	f.take(id, storage.CodeTaken)
	f.pass(denyFor - time.Second) // far beyond the code's own lifetime
	f.take(id, storage.CodeSpent)
	f.pass(3 * time.Second)
	f.take(id, storage.CodeUnknown)
}

func codePutAgain(t *testing.T, f *fixture) {
	id := f.code()
	f.take(id, storage.CodeTaken)
	f.putCode(id, f.session.ID, time.Minute)
	f.take(id, storage.CodeSpent)
}

// codeSessionEnded: a code on its way when its session is ended yields nothing,
// and the session gets no other; a session that was only replaced keeps its codes.
func codeSessionEnded(t *testing.T, f *fixture) {
	gone, other, replaced := f.login().ID, f.login().ID, f.login().ID
	ids := map[storage.SessionID]storage.CodeID{}
	for _, session := range []storage.SessionID{gone, other, replaced} {
		ids[session] = random[storage.CodeID]()
		f.putCode(ids[session], session, time.Minute)
	}
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: gone})
	f.login(func(r *storage.SessionRequest) { r.Replaces = replaced })
	f.take(ids[gone], storage.CodeUnknown)
	f.take(ids[other], storage.CodeTaken)
	f.take(ids[replaced], storage.CodeTaken)
	for _, session := range []storage.SessionID{gone, replaced, random8[storage.SessionID]()} {
		r := storage.PutRequest{User: f.user, ID: random[storage.CodeID](), Session: session, Body: codeBody, Lifetime: time.Minute}
		if kept := Must(f.s.PutCode(f.ctx(), r))(t); kept != storage.PutNothing {
			t.Error("PutCode: a session that is not there got a code")
		}
	}
}

// codeToldLate: a sign-out of the user as of a moment that has passed reaches the code of a
// device, too, whose session is not there yet; and nothing that a new login gets at once.
func codeToldLate(_ *testing.T, f *fixture) {
	put := func() storage.CodeID {
		r := storage.PutRequest{
			User: f.user, ID: random[storage.CodeID](), Session: f.session.ID, Begins: random8[storage.SessionID](), Owner: codeOwner, Body: codeBody, Lifetime: time.Minute,
		}
		if kept := Must(f.s.PutCode(f.ctx(), r))(f.t); kept != storage.PutKept {
			f.t.Fatal("PutCode: a live session got no code")
		}
		return r.ID
	}
	device := put()
	f.pass(1100 * time.Millisecond)
	reach := f.now()
	f.pass(2100 * time.Millisecond)
	f.session = f.login()
	later := put()
	f.end(storage.EndRequest{Scope: storage.EndUser, Before: reach})
	f.take(device, storage.CodeUnknown)
	f.take(later, storage.CodeTaken)
	f.end(storage.EndRequest{Scope: storage.EndUser})
	f.session = f.login()
	f.take(put(), storage.CodeTaken)
}

func codeConcurrently(t *testing.T, f *fixture) {
	id := f.code()
	var taken, spent atomic.Int32
	Concurrently(100, func(int) {
		res, err := f.s.TakeCode(f.ctx(), f.takeRequest(id))
		switch {
		case err != nil:
			t.Errorf("TakeCode: %v", err)
		case res.Outcome == storage.CodeTaken:
			taken.Add(1)
		case res.Outcome == storage.CodeSpent:
			spent.Add(1)
		}
	})
	if taken.Load() != 1 || spent.Load() != 99 {
		t.Errorf("%d taken and %d spent, want 1 and 99", taken.Load(), spent.Load())
	}
}

func codeReopen(_ *testing.T, f *fixture) {
	good, spent := f.code(), f.takeRequest(f.code())
	f.takeAs(spent, storage.CodeTaken)
	f.reopen()
	f.take(spent.ID, storage.CodeSpent)
	f.takeAs(spent, storage.CodeTaken)
	f.take(good, storage.CodeTaken)
}
