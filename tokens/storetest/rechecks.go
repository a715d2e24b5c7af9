package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var recheckCases = []testCase{
	{"C2: one check on all nodes", recheckLease},
	{"asked when it is due", recheckDue},
	{"C9: what is kept", recheckKept},
	{"C9: a slow answer", recheckSlow},
	{"C2: an answer without a lease", recheckLost},
	{"C3: a login that is gone", recheckGone},
	{"C2: gone after a check that never ended", recheckDoubtful},
	{"an answer that is none", recheckUnclear},
	{"an answer that says nothing of the person", recheckThin},
	{"C2, F43: an answer that was lost", recheckAnswerLost},
	{"racing answers", recheckRacing},
}

// recheck returns a request for a check of the session's root, which is always due.
func (f *fixture) recheck(change ...func(*storage.RecheckRequest)) storage.RecheckRequest {
	r := storage.RecheckRequest{User: f.user, Root: f.session.Root, Lease: 30 * time.Second, Attempt: random8[storage.Attempt]()}
	Apply(&r, change)
	return r
}

// every changes how long an answer counts.
func every(d time.Duration) func(*storage.RecheckRequest) {
	return func(r *storage.RecheckRequest) { r.Every = d }
}

// brief leases a check for hardly any time.
func brief(r *storage.RecheckRequest) { r.Lease = time.Millisecond }

func (f *fixture) begin(r storage.RecheckRequest, want bool) storage.RecheckLease {
	f.t.Helper()
	lease := Must(f.s.BeginRecheck(f.ctx(), r))(f.t)
	if lease.Leased != want {
		f.t.Fatalf("BeginRecheck: leased %v, want %v", lease.Leased, want)
	}
	return lease
}

// answer returns what a provider says under a lease.
func (f *fixture) answer(r storage.RecheckRequest, lease storage.RecheckLease, said storage.ProviderAnswer, token string) storage.RecheckAnswer {
	f.t.Helper()
	a := storage.RecheckAnswer{User: r.User, Root: r.Root, Seq: lease.Seq, Attempt: r.Attempt, Answer: said, DenyFor: denyFor}
	if said == storage.ProviderKept || said == storage.ProviderThin {
		a.Sealed, a.Person = []byte(token), f.provider(time.Hour, `{"n":2}`, "editors").Person
	}
	return a
}

// tell tells an answer, twice: the second is the same call sent again.
func (f *fixture) tell(a storage.RecheckAnswer, want storage.RecheckOutcome) storage.RecheckResult {
	f.t.Helper()
	var first storage.RecheckResult
	for i := range 2 {
		res := Must(f.s.EndRecheck(f.ctx(), a))(f.t)
		if res.Outcome != want {
			f.t.Fatalf("EndRecheck (%d): outcome %d, want %d", i+1, res.Outcome, want)
		}
		if i == 0 {
			first = res
		} else if !slices.Equal(first.Ended.Families, res.Ended.Families) || first.Ended.New != res.Ended.New {
			f.t.Errorf("EndRecheck: ended %+v, and %+v when it was sent again", first.Ended, res.Ended)
		}
	}
	return first
}

func recheckLease(t *testing.T, f *fixture) {
	f.atProvider()
	requests, leased := make([]storage.RecheckRequest, 16), atomic.Int32{}
	winner := atomic.Int32{}
	for i := range requests {
		requests[i] = f.recheck()
	}
	Concurrently(len(requests), func(i int) {
		lease, err := f.s.BeginRecheck(f.ctx(), requests[i])
		if err != nil {
			t.Error(err)
		}
		if lease.Leased {
			leased.Add(1)
			winner.Store(int32(i))
		}
	})
	if leased.Load() != 1 {
		t.Fatalf("%d of %d calls got the lease", leased.Load(), len(requests))
	}
	own := requests[winner.Load()]
	lease := f.begin(own, true) // the same call sent again
	if lease.Seq != 1 || lease.Session != f.session.ID || string(lease.Sealed) != sealed || lease.Doubtful || lease.Asked.After(f.now()) {
		t.Errorf("leased %+v", lease)
	}
	f.reopen()
	if again := f.begin(own, true); again.Doubtful || !again.Asked.Equal(lease.Asked) || string(again.Sealed) != sealed {
		t.Errorf("leased %+v, and %+v when it was sent again", lease, again)
	}
	if other := f.begin(f.recheck(), false); !other.Busy {
		t.Error("another attempt is not told that the login is being checked")
	}
}

func recheckDue(t *testing.T, f *fixture) {
	if none := f.begin(f.recheck(), false); none.Busy { // a login that brought nothing
		t.Error("a login that brought nothing is being checked")
	}
	f.atProvider()
	f.begin(f.recheck(func(r *storage.RecheckRequest) { r.Root = random8[storage.SessionID]() }), false)
	f.begin(f.recheck(every(time.Hour)), false) // the login itself was an answer
	f.needClock()
	f.pass(time.Hour - time.Millisecond)
	f.begin(f.recheck(every(time.Hour)), false)
	f.pass(time.Millisecond)
	f.begin(f.recheck(every(time.Hour)), true)
}

func recheckKept(t *testing.T, f *fixture) {
	f.atProvider()
	family := f.family()
	r := f.recheck()
	lease := f.begin(r, true)
	f.tell(f.answer(r, lease, storage.ProviderKept, "another"), storage.RecheckWritten)
	got := f.rotate(f.present(family, 1), storage.Rotated, 2).Profile
	want := f.provider(0, `{"n":2}`, "editors")
	if !got.Person.AsOf.Equal(lease.Asked) || got.Person.Checked.Before(lease.Asked.Truncate(time.Second)) || got.Person.Checked.After(f.now()) {
		t.Errorf("written as of %v, checked %v; asked %v", got.Person.AsOf, got.Person.Checked, lease.Asked)
	}
	want.Person.AsOf, want.Person.Checked = got.Person.AsOf, got.Person.Checked
	f.wantProfile(got, want, "after a check")
	f.begin(f.recheck(every(time.Hour)), false)
	f.reopen()
	r = f.recheck()
	if lease = f.begin(r, true); lease.Seq != 2 || string(lease.Sealed) != "another" || lease.Doubtful || lease.Session != f.session.ID {
		t.Errorf("leased %+v", lease)
	}
	f.tell(f.answer(r, lease, storage.ProviderKept, ""), storage.RecheckWritten)
	if lease = f.begin(f.recheck(), true); lease.Seq != 2 || string(lease.Sealed) != "another" {
		t.Errorf("leased %+v, of a provider that gives no other token", lease)
	}

	// The first facts of somebody of whom nothing was known.
	f.user = random[storage.UserTag]()
	f.session = f.login(as(storage.Profile{Subject: "company|00u1", Fingerprint: Fingerprint}), brings(sealed))
	r = f.recheck()
	a := f.answer(r, f.begin(r, true), storage.ProviderKept, "another")
	f.tell(a, storage.RecheckWritten)
	if got := Must(f.s.Profile(f.ctx(), f.user))(t).Person; string(got.Claims) != `{"n":2}` || len(got.Groups) != 1 {
		t.Errorf("the first facts are %+v", got)
	}
}

// recheckSlow: the person signs in elsewhere while the provider takes its time.
func recheckSlow(t *testing.T, f *fixture) {
	f.atProvider()
	r := f.recheck()
	lease := f.begin(r, true)
	f.pass(2 * time.Second)
	newer := f.provider(0, `{"n":3}`)
	f.login(as(newer), brings("elsewhere"))
	f.tell(f.answer(r, lease, storage.ProviderKept, "another"), storage.RecheckWritten)
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), newer, "after a slow answer")
	if lease := f.begin(f.recheck(), true); string(lease.Sealed) != "another" {
		t.Errorf("leased %+v", lease)
	}
}

func recheckLost(_ *testing.T, f *fixture) {
	f.atProvider()
	first := f.recheck(brief)
	lease := f.begin(first, true)
	stranger := first
	stranger.Attempt = random8[storage.Attempt]()
	other := lease
	other.Seq++
	for _, said := range []storage.ProviderAnswer{storage.ProviderKept, storage.ProviderGone, storage.ProviderUnclear} {
		f.tell(f.answer(stranger, lease, said, "lost"), storage.RecheckLost)
		f.tell(f.answer(first, other, said, "lost"), storage.RecheckLost)
	}
	f.pass(time.Second)
	second := f.recheck()
	taken := f.begin(second, true)
	if !taken.Doubtful || string(taken.Sealed) != sealed {
		f.t.Errorf("leased %+v after a check that never ended", taken)
	}
	if again := f.begin(second, true); !again.Doubtful {
		f.t.Error("the same call sent again is told that the check before has ended")
	}
	for _, said := range []storage.ProviderAnswer{storage.ProviderKept, storage.ProviderGone, storage.ProviderUnclear} {
		f.tell(f.answer(first, lease, said, "lost"), storage.RecheckLost)
	}
	f.wantSession(f.session.ID, true)
	f.tell(f.answer(second, taken, storage.ProviderKept, "another"), storage.RecheckWritten)
	late := f.recheck(brief)
	lease = f.begin(late, true)
	if lease.Doubtful {
		f.t.Error("an answer does not end the doubt")
	}
	f.pass(time.Second)
	f.tell(f.answer(late, lease, storage.ProviderKept, "the third"), storage.RecheckWritten) // nobody else has asked
}

func recheckGone(t *testing.T, f *fixture) {
	f.atProvider()
	root := f.session
	family, code := f.family(), f.code()
	dead := f.family(func(r *storage.CreateRequest) { r.Session = storage.SessionID{1} })
	f.session = f.login(as(f.provider(0, `{"n":1}`)), brings("newer"), func(r *storage.SessionRequest) { r.Replaces = root.ID })
	elsewhere := f.login(as(f.provider(0, `{"n":1}`)), brings("elsewhere"))
	r := f.recheck()
	lease := f.begin(r, true)
	since := f.now()
	res := f.tell(f.answer(r, lease, storage.ProviderGone, ""), storage.RecheckEnded)
	if !res.Ended.New || len(res.Ended.Families) != 1 || res.Ended.Families[0] != family.ID || res.Ended.Now.Before(since) {
		t.Errorf("ended %+v", res.Ended)
	}
	f.wantSession(f.session.ID, false)
	f.wantSession(elsewhere.ID, true)
	f.wantDenied(family.ID, since)
	f.wantEntry(storage.DenySession, [16]byte(append(root.Root[:], make([]byte, 8)...)), since)
	f.rotate(f.present(family, 1), storage.RotateUnknown, 0)
	f.take(code, storage.CodeUnknown)
	f.wantLive(dead.ID)
	f.begin(f.recheck(), false)
	f.session = elsewhere
	f.begin(f.recheck(), true)
}

func recheckDoubtful(_ *testing.T, f *fixture) {
	f.atProvider()
	family := f.family()
	f.begin(f.recheck(brief), true) // by a node that died
	f.pass(time.Second)
	r := f.recheck()
	f.tell(f.answer(r, f.begin(r, true), storage.ProviderUnclear, ""), storage.RecheckReleased)
	r = f.recheck() // in doubt still: nobody knows what that token was good for
	lease := f.begin(r, true)
	if !lease.Doubtful {
		f.t.Error("an answer that is none has ended the doubt")
	}
	f.tell(f.answer(r, lease, storage.ProviderGone, ""), storage.RecheckDropped)
	f.wantSession(f.session.ID, true)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.begin(f.recheck(), false)
	f.session = f.login(as(f.provider(0, `{"n":2}`)), brings("anew"), func(r *storage.SessionRequest) { r.Replaces = f.session.ID })
	if lease := f.begin(f.recheck(), true); lease.Doubtful || lease.Seq != 1 || lease.Session != f.session.ID || string(lease.Sealed) != "anew" {
		f.t.Errorf("after signing in again: %+v", lease)
	}
}

func recheckUnclear(t *testing.T, f *fixture) {
	f.needClock()
	f.atProvider()
	f.pass(time.Hour)
	before := Must(f.s.Profile(f.ctx(), f.user))(t)
	r := f.recheck(every(time.Hour))
	f.tell(f.answer(r, f.begin(r, true), storage.ProviderUnclear, ""), storage.RecheckReleased)
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), before, "after no answer")
	f.pass(6*time.Minute - time.Millisecond)
	f.begin(f.recheck(every(time.Hour)), false)
	f.pass(time.Millisecond)
	if lease := f.begin(f.recheck(every(time.Hour)), true); lease.Seq != 1 || lease.Doubtful || string(lease.Sealed) != sealed {
		t.Errorf("leased %+v after no answer", lease)
	}
}

// recheckThin: what the provider gave in the place of the old token is kept, the facts
// stay, and are as old as before.
func recheckThin(t *testing.T, f *fixture) {
	f.needClock()
	f.atProvider()
	f.pass(time.Hour)
	before := Must(f.s.Profile(f.ctx(), f.user))(t)
	r := f.recheck(every(time.Hour))
	f.tell(f.answer(r, f.begin(r, true), storage.ProviderThin, "another"), storage.RecheckWritten)
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), before, "after a thin answer")
	if again := f.begin(f.recheck(every(time.Hour)), false); !again.Lately || !again.Thin {
		t.Errorf("asked again at once: %+v", again)
	}
	f.pass(6 * time.Minute)
	if lease := f.begin(f.recheck(every(time.Hour)), true); lease.Seq != 2 || lease.Doubtful || string(lease.Sealed) != "another" {
		t.Errorf("leased %+v after a thin answer", lease)
	}
}

// recheckAnswerLost: the provider may have given another token, and what it says of the old
// one then ends nothing.
func recheckAnswerLost(t *testing.T, f *fixture) {
	f.needClock()
	f.atProvider()
	f.pass(time.Hour)
	r := f.recheck(every(time.Hour))
	f.tell(f.answer(r, f.begin(r, true), storage.ProviderLost, ""), storage.RecheckReleased)
	if again := f.begin(f.recheck(every(time.Hour)), false); !again.Lately || again.Thin || again.Busy {
		t.Errorf("asked again at once: %+v", again)
	}
	f.pass(6 * time.Minute)
	r = f.recheck(every(time.Hour))
	lease := f.begin(r, true)
	if !lease.Doubtful || string(lease.Sealed) != sealed {
		t.Errorf("leased %+v after an answer that was lost", lease)
	}
	f.tell(f.answer(r, lease, storage.ProviderGone, ""), storage.RecheckDropped)
	if none := f.begin(f.recheck(every(time.Hour)), false); none.Lately || none.Busy {
		t.Errorf("there is nothing to ask with, and yet: %+v", none)
	}
}

// recheckRacing: of answers that come at once, under one lease that another may take
// over, one is written.
func recheckRacing(t *testing.T, f *fixture) {
	f.atProvider()
	r := f.recheck()
	lease := f.begin(r, true)
	var written atomic.Int32
	Concurrently(8, func(i int) {
		a := f.answer(r, lease, storage.ProviderKept, fmt.Sprint("token ", i))
		if i > 0 {
			a.Attempt = random8[storage.Attempt]()
		}
		res, err := f.s.EndRecheck(f.ctx(), a)
		if err != nil {
			t.Error(err)
		}
		if res.Outcome == storage.RecheckWritten {
			written.Add(1)
		}
	})
	if got := f.begin(f.recheck(), true); written.Load() != 1 || string(got.Sealed) != "token 0" {
		t.Errorf("%d answers were written, of which %q stays", written.Load(), got.Sealed)
	}
}
