package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var upstreamCases = []testCase{
	{"ends with its root", upstreamEnds},
	{"belongs to the newest login", upstreamReplaced},
	{"M12: bounded", upstreamBound},
	{"kept for a while", upstreamKept},
	{"moves", upstreamMoves},
}

// sealed is what a provider gives at a login.
const sealed = "sealed refresh token"

// atProvider signs in by a provider, as somebody new.
func (f *fixture) atProvider() {
	f.t.Helper()
	f.user = random[storage.UserTag]()
	f.session = f.login(as(f.provider(0, `{"n":1}`, "staff")), brings(sealed))
}

// brings changes what a login gets of its provider.
func brings(token string) func(*storage.SessionRequest) {
	return func(r *storage.SessionRequest) { r.Upstream = []byte(token) }
}

func upstreamEnds(t *testing.T, f *fixture) {
	for name, end := range map[string]struct {
		end  func()
		ends bool
	}{
		"EndSession":   {func() { f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}) }, true},
		"EndUser":      {func() { f.end(storage.EndRequest{Scope: storage.EndUser}) }, true},
		"DisableUser":  {func() { f.end(storage.EndRequest{Scope: storage.DisableUser}) }, true},
		"new password": {func() { f.login(password(storage.Fingerprint{9})) }, true},
		"EndFamily":    {func() { f.end(storage.EndRequest{Scope: storage.EndFamily, Family: f.family().ID}) }, false},
	} {
		f.atProvider()
		end.end()
		if lease := Must(f.s.BeginRecheck(f.ctx(), f.recheck()))(t); lease.Leased == end.ends {
			t.Errorf("after %s: leased %v", name, lease.Leased)
		}
	}
	// A sign-out there takes along what it gave, once.
	f.atProvider()
	if res := f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}); res.Given.Sealed != nil {
		t.Error("what a provider gave is returned to who has not asked")
	}
	f.atProvider()
	for _, want := range []bool{true, false} {
		given := f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID, Given: true}).Given
		if want != (given.Sealed != nil && given.Seq == 1 && given.Session == f.session.ID) {
			t.Errorf("what a provider gave: %+v", given)
		}
	}
	// What ends while it is asked about stays ended.
	f.atProvider()
	r := f.recheck()
	lease := f.begin(r, true)
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
	f.tell(f.answer(r, lease, storage.ProviderKept, "another"), storage.RecheckLost)
	f.begin(f.recheck(), false)
}

func upstreamReplaced(t *testing.T, f *fixture) {
	f.atProvider()
	root := f.session.Root
	r := f.recheck()
	lease := f.begin(r, true)
	p := f.provider(0, `{"n":1}`)
	id, before := random8[storage.SessionID](), f.session.ID
	again := func(s *storage.SessionRequest) { s.ID, s.Replaces = id, before }
	f.session = f.login(as(p), brings("second"), again)
	if f.session.Root != root {
		t.Fatal("the session has another root")
	}
	f.tell(f.answer(r, lease, storage.ProviderGone, ""), storage.RecheckLost) // it was about the login before
	r = f.recheck()
	if lease = f.begin(r, true); lease.Seq != 1 || lease.Session != id || string(lease.Sealed) != "second" || lease.Doubtful {
		t.Errorf("leased %+v", lease)
	}
	f.tell(f.answer(r, lease, storage.ProviderKept, "third"), storage.RecheckWritten)
	f.login(as(p), brings("second"), again) // the same call sent again
	r = f.recheck()
	if lease = f.begin(r, true); lease.Seq != 2 || string(lease.Sealed) != "third" {
		t.Errorf("leased %+v after the same login was sent again", lease)
	}
	f.tell(f.answer(r, lease, storage.ProviderUnclear, ""), storage.RecheckReleased)
	f.session = f.login(as(p), func(s *storage.SessionRequest) { s.Replaces = id })
	if lease = f.begin(f.recheck(), true); string(lease.Sealed) != "third" { // a login that brought nothing takes nothing
		t.Errorf("leased %+v after a login that brought nothing", lease)
	}
}

func upstreamBound(t *testing.T, f *fixture) {
	f.needClock()
	f.atProvider()
	sessions := []storage.Session{f.session}
	for i := range storage.MaxUpstreams + 2 {
		f.pass(5 * time.Millisecond)
		if i == storage.MaxUpstreams-1 { // the first was asked about since the others began
			f.begin(f.recheck(), true)
		}
		sessions = append(sessions, f.login(as(f.provider(0, `{"n":1}`)), brings(sealed)))
	}
	last := &sessions[len(sessions)-1] // signing in there again needs no room
	*last = f.login(as(f.provider(0, `{"n":1}`)), brings(sealed), func(r *storage.SessionRequest) { r.Replaces = last.ID })
	f.pass(time.Minute) // the lease is over
	var kept []int
	for i := range sessions {
		f.session = sessions[i]
		if lease := Must(f.s.BeginRecheck(f.ctx(), f.recheck()))(t); lease.Leased {
			kept = append(kept, i)
		}
	}
	want := []int{0, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if !slices.Equal(kept, want) {
		t.Errorf("those of the logins %v are kept, want %v", kept, want)
	}
}

func upstreamKept(_ *testing.T, f *fixture) {
	f.needClock()
	f.atProvider()
	f.pass(storage.KeepUpstream - time.Second)
	r := f.recheck()
	f.tell(f.answer(r, f.begin(r, true), storage.ProviderUnclear, ""), storage.RecheckReleased)
	f.pass(storage.KeepUpstream - time.Second)
	f.reopen()
	r = f.recheck()
	f.tell(f.answer(r, f.begin(r, true), storage.ProviderUnclear, ""), storage.RecheckReleased)
	f.pass(storage.KeepUpstream)
	f.begin(f.recheck(), false)
}

func upstreamMoves(t *testing.T, f *fixture) {
	f.empty() // else skipped
	f.atProvider()
	asked := f.session
	r := f.recheck()
	f.tell(f.answer(r, f.begin(r, true), storage.ProviderKept, "another"), storage.RecheckWritten)
	f.session = f.login(as(f.provider(0, `{"n":1}`)), brings("in doubt"))
	f.begin(f.recheck(), true)
	doubted := f.session
	f.move()
	if lease := f.begin(f.recheck(func(r *storage.RecheckRequest) { r.Root = asked.Root }), true); lease.Seq != 2 || lease.Session != asked.ID || string(lease.Sealed) != "another" || lease.Doubtful {
		t.Errorf("moved %+v", lease)
	}
	if lease := f.begin(f.recheck(), true); lease.Seq != 1 || lease.Session != doubted.ID || string(lease.Sealed) != "in doubt" || !lease.Doubtful {
		t.Errorf("moved %+v, of which a check was under way", lease)
	}
}
