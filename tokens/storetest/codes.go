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
	{"unknown", codeUnknown},
	{"expires", codeExpires},
	{"spent codes are remembered", codeRemembered},
	{"put again", codePutAgain},
	{"session ended", codeSessionEnded},
	{"100 at once", codeConcurrently},
	{"survives reopening", codeReopen},
}

var codeBody = []byte(`{"client":"app"}`)

// code puts a code.
func (f *fixture) code() tokens.CodeID {
	f.t.Helper()
	id := random[tokens.CodeID]()
	noError(f.t, f.s.PutCode(f.ctx(), tokens.PutRequest{User: f.user, ID: id, Body: codeBody, Lifetime: time.Minute}))
	return id
}

func (f *fixture) takeRequest(id tokens.CodeID) tokens.TakeRequest {
	return tokens.TakeRequest{User: f.user, ID: id, DenyFor: denyFor, Attempt: random8[tokens.Attempt]()}
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
	if known := want != tokens.CodeUnknown; bytes.Equal(res.Body, codeBody) != known || res.TakenAt.IsZero() == known {
		f.t.Errorf("TakeCode: outcome %d with body %q, taken %v", want, res.Body, res.TakenAt)
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
	noError(t, f.s.PutCode(f.ctx(), tokens.PutRequest{User: f.user, ID: id, Body: codeBody, Lifetime: time.Second}))
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
	noError(t, f.s.PutCode(f.ctx(), tokens.PutRequest{User: f.user, ID: id, Body: codeBody, Lifetime: time.Minute}))
	f.take(id, tokens.CodeSpent)
}

// codeSessionEnded: a code on its way when its session is ended yields nothing;
// one of another session, or of a session that was only replaced, does.
func codeSessionEnded(t *testing.T, f *fixture) {
	put := func(session tokens.SessionID) tokens.CodeID {
		id := random[tokens.CodeID]()
		noError(t, f.s.PutCode(f.ctx(), tokens.PutRequest{User: f.user, ID: id, Session: session, Body: codeBody, Lifetime: time.Minute}))
		return id
	}
	end := func(scope tokens.EndScope, session tokens.SessionID) {
		must(f.s.End(f.ctx(), tokens.EndRequest{User: f.user, Scope: scope, Session: session, DenyFor: denyFor, Attempt: random8[tokens.Attempt]()}))(t)
	}
	gone, other, replaced := tokens.SessionID{1}, tokens.SessionID{2}, tokens.SessionID{3}
	goneCode, otherCode, replacedCode := put(gone), put(other), put(replaced)
	end(tokens.EndSession, gone)
	end(tokens.EndSessionOnly, replaced)
	f.take(goneCode, tokens.CodeUnknown)
	f.take(otherCode, tokens.CodeTaken)
	f.take(replacedCode, tokens.CodeTaken)
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
