package storetest

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
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
	{"100 at once", codeConcurrently},
	{"survives reopening", codeReopen},
}

var (
	codeBody  = []byte(`{"client":"app"}`)
	codeOwner = [16]byte{4, 5, 6}
)

// code puts a code.
func (f *fixture) code() tokens.CodeID {
	f.t.Helper()
	id := random[tokens.CodeID]()
	f.putCode(id, f.session.ID, time.Minute)
	return id
}

// putCode puts a code that a live session gets.
func (f *fixture) putCode(id tokens.CodeID, session tokens.SessionID, lifetime time.Duration) {
	f.t.Helper()
	r := tokens.PutRequest{User: f.user, ID: id, Session: session, Owner: codeOwner, Body: codeBody, Lifetime: lifetime}
	if kept := must(f.s.PutCode(f.ctx(), r))(f.t); !kept {
		f.t.Fatal("PutCode: a live session got no code")
	}
}

func (f *fixture) takeRequest(id tokens.CodeID) tokens.TakeRequest {
	return tokens.TakeRequest{User: f.user, ID: id, BegunAfter: f.begunAfter(app), DenyFor: denyFor, Attempt: random8[tokens.Attempt]()}
}

func (f *fixture) take(id tokens.CodeID, want tokens.CodeOutcome) tokens.TakeResult {
	f.t.Helper()
	return f.takeAs(f.takeRequest(id), want)
}

func (f *fixture) takeAs(r tokens.TakeRequest, want tokens.CodeOutcome) tokens.TakeResult {
	f.t.Helper()
	res := must(f.s.TakeCode(f.ctx(), r))(f.t)
	if res.Outcome != want {
		f.t.Fatalf("TakeCode: outcome %d, want %d", res.Outcome, want)
	}
	if known := want != tokens.CodeUnknown; res.TakenAt.IsZero() == known || (res.Owner == codeOwner) != (want == tokens.CodeSpent) {
		f.t.Errorf("TakeCode: outcome %d, taken %v, owner %x", want, res.TakenAt, res.Owner)
	}
	if taken := want == tokens.CodeTaken; bytes.Equal(res.Body, codeBody) != taken {
		f.t.Errorf("TakeCode: outcome %d with body %q", want, res.Body)
	}
	if taken := want == tokens.CodeTaken; bytes.Equal(res.Profile, profile) != taken || res.IssueAt.IsZero() == taken {
		f.t.Errorf("TakeCode: outcome %d with profile %q, issued %v", want, res.Profile, res.IssueAt)
	}
	return res
}

func codeTaken(t *testing.T, f *fixture) {
	id, other := f.code(), f.code()
	before := f.now()
	first := f.take(id, tokens.CodeTaken)
	if first.TakenAt.Before(before) || first.TakenAt.After(first.Now) || first.Now.After(f.now()) {
		t.Errorf("taken %v, now %v", first.TakenAt, first.Now)
	}
	f.pass(500 * time.Millisecond)
	second := f.take(id, tokens.CodeSpent)
	if !second.TakenAt.Equal(first.TakenAt) || second.Now.Sub(second.TakenAt) < 500*time.Millisecond {
		t.Errorf("spent: taken %v at %v, first %v", second.TakenAt, second.Now, first.TakenAt)
	}
	f.take(other, tokens.CodeTaken)
}

func codeAgain(t *testing.T, f *fixture) {
	r := f.takeRequest(f.code())
	first := f.takeAs(r, tokens.CodeTaken)
	f.pass(100 * time.Millisecond)
	again := f.takeAs(r, tokens.CodeTaken)
	if !again.TakenAt.Equal(first.TakenAt) {
		t.Error("sending the call again moved the time")
	}
	f.take(r.ID, tokens.CodeSpent)
	f.takeAs(r, tokens.CodeTaken)
}

// The body goes when the code would have ended. Who comes again by the attempt that
// has taken it hears that, and is not taken for somebody else.
func codeAgainLate(t *testing.T, f *fixture) {
	r := f.takeRequest(f.code())
	f.takeAs(r, tokens.CodeTaken)
	f.pass(2 * time.Minute)
	again := must(f.s.TakeCode(f.ctx(), r))(t)
	if again.Outcome != tokens.CodeTaken && (again.Outcome != tokens.CodeSpent || !again.Mine) {
		t.Errorf("by the same attempt: %+v", again)
	}
	if other := f.take(r.ID, tokens.CodeSpent); other.Mine {
		t.Error("another attempt is taken for the first")
	}
}

func codeUnknown(_ *testing.T, f *fixture) {
	f.take(random[tokens.CodeID](), tokens.CodeUnknown)
	id := f.code()
	alice := f.user
	f.user = random[tokens.UserTag]()
	f.take(id, tokens.CodeUnknown)
	f.user = alice
	f.take(id, tokens.CodeTaken)
}

func codeExpires(t *testing.T, f *fixture) {
	id := random[tokens.CodeID]()
	f.putCode(id, f.session.ID, time.Second)
	f.pass(1100 * time.Millisecond)
	f.take(id, tokens.CodeUnknown)
}

func codeRemembered(_ *testing.T, f *fixture) {
	f.needClock()
	id := f.code()
	f.take(id, tokens.CodeTaken)
	f.pass(denyFor - time.Second) // far beyond the code's own lifetime
	f.take(id, tokens.CodeSpent)
	f.pass(3 * time.Second)
	f.take(id, tokens.CodeUnknown)
}

func codePutAgain(t *testing.T, f *fixture) {
	id := f.code()
	f.take(id, tokens.CodeTaken)
	f.putCode(id, f.session.ID, time.Minute)
	f.take(id, tokens.CodeSpent)
}

// codeSessionEnded: a code on its way when its session is ended yields nothing,
// and the session gets no other; a session that was only replaced keeps its codes.
func codeSessionEnded(t *testing.T, f *fixture) {
	gone, other, replaced := f.login().ID, f.login().ID, f.login().ID
	ids := map[tokens.SessionID]tokens.CodeID{}
	for _, session := range []tokens.SessionID{gone, other, replaced} {
		ids[session] = random[tokens.CodeID]()
		f.putCode(ids[session], session, time.Minute)
	}
	end := func(scope tokens.EndScope, session tokens.SessionID) {
		must(f.s.End(f.ctx(), tokens.EndRequest{User: f.user, Scope: scope, Session: session, DenyFor: denyFor, Attempt: random8[tokens.Attempt]()}))(t)
	}
	end(tokens.EndSession, gone)
	end(tokens.EndSessionOnly, replaced)
	f.take(ids[gone], tokens.CodeUnknown)
	f.take(ids[other], tokens.CodeTaken)
	f.take(ids[replaced], tokens.CodeTaken)
	for _, session := range []tokens.SessionID{gone, replaced, random8[tokens.SessionID]()} {
		r := tokens.PutRequest{User: f.user, ID: random[tokens.CodeID](), Session: session, Body: codeBody, Lifetime: time.Minute}
		if kept := must(f.s.PutCode(f.ctx(), r))(t); kept {
			t.Error("PutCode: a session that is not there got a code")
		}
	}
}

func codeConcurrently(t *testing.T, f *fixture) {
	id := f.code()
	var taken, spent atomic.Int32
	concurrently(100, func(int) {
		res, err := f.s.TakeCode(f.ctx(), f.takeRequest(id))
		switch {
		case err != nil:
			t.Errorf("TakeCode: %v", err)
		case res.Outcome == tokens.CodeTaken:
			taken.Add(1)
		case res.Outcome == tokens.CodeSpent:
			spent.Add(1)
		}
	})
	if taken.Load() != 1 || spent.Load() != 99 {
		t.Errorf("%d taken and %d spent, want 1 and 99", taken.Load(), spent.Load())
	}
}

func codeReopen(_ *testing.T, f *fixture) {
	good, spent := f.code(), f.takeRequest(f.code())
	f.takeAs(spent, tokens.CodeTaken)
	f.reopen()
	f.take(spent.ID, tokens.CodeSpent)
	f.takeAs(spent, tokens.CodeTaken)
	f.take(good, tokens.CodeTaken)
}
