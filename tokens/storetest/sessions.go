package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var sessionCases = []testCase{
	{"found with its profile", sessionFound},
	{"absolute end", sessionAbsolute},
	{"idle end", sessionIdle},
	{"use keeps it alive", sessionUsed},
	{"use is written at most once a minute", sessionTouch},
	{"replaced", sessionReplaced},
	{"signing out ends what replaced sessions began", sessionRoot},
	{"signing out by the root", sessionByRoot},
	{"a root is inherited only while it lives", sessionRootLife},
	{"acr", sessionACR},
	{"new profile", sessionProfile},
	{"new password", sessionPassword},
	{"H19: the password before is held", sessionHeld},
	{"H19: nothing is held where nobody asks for it", sessionNotHeld},
	{"racing End", sessionRacing},
	{"C4: two times", sessionTimes},
}

func sessionFound(t *testing.T, f *fixture) {
	made := f.session
	if made.User != f.user || made.AuthTime.IsZero() || !made.Expires.Equal(made.Begun.Add(2*f.lifetime)) {
		t.Errorf("made %+v", made)
	}
	got, p, found := f.findSession(made.ID, f.lifetime)
	if !found || got.ID != made.ID || got.User != f.user || !got.AuthTime.Equal(made.AuthTime) || !got.Expires.Equal(made.Expires) {
		t.Errorf("found %v %+v, want %+v", found, got, made)
	}
	if !sameProfile(p, profile) {
		t.Errorf("profile %+v", p)
	}
	f.wantSession(random8[storage.SessionID](), false)
	f.user = random[storage.UserTag]()
	f.wantSession(made.ID, false)
	if p := Must(f.s.Profile(f.ctx(), f.user))(t); p.Subject != "" {
		t.Errorf("profile of an unknown user: %+v", p)
	}
}

func sessionAbsolute(_ *testing.T, f *fixture) {
	f.pass(f.lifetime)
	f.wantSession(f.session.ID, true)
	f.pass(f.lifetime + time.Second)
	f.wantSession(f.session.ID, false)
}

func sessionIdle(t *testing.T, f *fixture) {
	f.pass(f.lifetime + time.Second)
	if _, _, found := f.findSession(f.session.ID, f.lifetime); found {
		t.Error("a session lives that was not used for its idle limit")
	}
	f.wantSession(f.session.ID, true)
}

func sessionUsed(t *testing.T, f *fixture) {
	f.needClock()
	for range 3 {
		f.pass(f.lifetime / 2)
		if _, _, found := f.findSession(f.session.ID, f.lifetime); !found {
			t.Fatal("a session in use has ended")
		}
	}
	f.reopen()
	f.pass(f.lifetime/2 - time.Second)
	if _, _, found := f.findSession(f.session.ID, f.lifetime); !found {
		t.Fatal("a session in use has ended")
	}
}

func sessionTouch(t *testing.T, f *fixture) {
	f.needClock()
	used := func() time.Time {
		session, _, found := f.findSession(f.session.ID, 0)
		if !found {
			t.Fatal("no session")
		}
		return session.Used
	}
	first := used()
	f.pass(30 * time.Second)
	if got := used(); !got.Equal(first) {
		t.Errorf("used %v after 30 s, want %v still", got, first)
	}
	f.pass(31 * time.Second)
	if got := used(); got.Sub(first) < time.Minute {
		t.Errorf("used %v after 61 s, first %v", got, first)
	}
}

func sessionReplaced(_ *testing.T, f *fixture) {
	family := f.family()
	fresh := f.login(func(r *storage.SessionRequest) { r.Replaces = f.session.ID })
	f.wantSession(f.session.ID, false)
	f.wantSession(fresh.ID, true)
	f.wantLive(family.ID)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
}

func sessionProfile(t *testing.T, f *fixture) {
	family := f.family()
	fresh := profile
	fresh.Person.Claims = []byte(`{"name":"Alice B."}`)
	f.login(func(r *storage.SessionRequest) { r.Profile = fresh })
	if p := Must(f.s.Profile(f.ctx(), f.user))(t); !sameProfile(p, fresh) {
		t.Errorf("profile %+v", p)
	}
	if _, p, _ := f.findSession(f.session.ID, 0); !sameProfile(p, fresh) {
		t.Errorf("profile of the older session %+v", p)
	}
	if res := f.rotate(f.present(family, 1), storage.Rotated, 2); !sameProfile(res.Profile, fresh) {
		t.Errorf("profile of a rotation %+v", res.Profile)
	}
}

func sessionPassword(_ *testing.T, f *fixture) {
	// The password was changed. A login with the new one must not make good
	// again what was begun with the old one.
	family, code := f.family(), f.code()
	changed := storage.Fingerprint{9}
	withNew := with(changed)
	f.rotate(f.present(family, 1, withNew), storage.RotateUserChanged, 0)
	before := f.now()
	fresh := f.login(password(changed))
	if got := f.denials().Before; got.Before(before.Truncate(time.Second)) || !fresh.Begun.After(got) {
		f.t.Errorf("access tokens are denied up to %v; changed at %v, new login at %v", got, before, fresh.Begun)
	}
	f.rotate(f.present(family, 1, withNew), storage.RotateUnknown, 0)
	f.take(code, storage.CodeUnknown)
	f.wantSession(f.session.ID, false)
	f.wantSession(fresh.ID, true)
	f.session = fresh
	f.rotate(f.present(f.family(), 1, withNew), storage.Rotated, 2)
}

// sessionHeld: for an hour nobody signs in by the fingerprint that a login has replaced,
// and a node that still configures it goes on with what was begun by the new one.
func sessionHeld(t *testing.T, f *fixture) {
	f.needClock()
	next, last := storage.Fingerprint{9}, storage.Fingerprint{8}
	hold := func(r *storage.SessionRequest) { r.Hold = time.Hour }
	profileIs := func(want, before storage.Fingerprint) {
		t.Helper()
		f.reopen()
		p := Must(f.s.Profile(f.ctx(), f.user))(t)
		_, q, found := f.findSession(f.session.ID, 0)
		if p.Fingerprint != want || p.Before != before || !found || q.Fingerprint != want || q.Before != before {
			t.Errorf("profile %x after %x, of the session %x after %x; want %x after %x", p.Fingerprint, p.Before, q.Fingerprint, q.Before, want, before)
		}
	}
	profileIs(Fingerprint, storage.Fingerprint{})
	f.session = f.login(password(next), hold)
	profileIs(next, Fingerprint)
	family := f.family()
	if res := Must(f.s.TakeCode(f.ctx(), f.takeRequest(f.code())))(t); res.Profile.Before != Fingerprint {
		t.Errorf("profile of a code %+v", res.Profile)
	}
	f.rotate(f.present(family, 1, with(Fingerprint)), storage.Rotated, 2) // at a node that is behind
	f.rotate(f.present(family, 2, with(next)), storage.Rotated, 3)
	f.rotate(f.present(family, 3, with(last)), storage.RotateUserChanged, 0)
	for _, change := range [][]func(*storage.SessionRequest){{hold}, nil} {
		if s := f.login(append(change, password(Fingerprint))...); s.ID != (storage.SessionID{}) || !s.OldFingerprint || s.EndedOthers {
			t.Errorf("a login by the old password: %+v", s)
		}
	}
	if again := f.login(password(next), hold); again.OldFingerprint || again.EndedOthers {
		t.Errorf("a login by the new password: %+v", again)
	}
	profileIs(next, Fingerprint)
	f.rotate(f.present(family, 3, with(next)), storage.Rotated, 4)

	// The next change holds the one before it, and that one alone.
	f.session = f.login(password(last), hold)
	profileIs(last, next)
	f.h.Advance(time.Hour + time.Second)
	profileIs(last, storage.Fingerprint{})
	family = f.family()
	f.rotate(f.present(family, 1, with(next)), storage.RotateUserChanged, 0)
	f.rotate(f.present(family, 1, with(last)), storage.Rotated, 2)
	if s := f.login(password(next), hold); s.OldFingerprint || !s.EndedOthers {
		t.Errorf("a login by the old password after an hour: %+v", s)
	}
}

func sessionNotHeld(t *testing.T, f *fixture) {
	next := storage.Fingerprint{9}
	f.session = f.login(password(next))
	if p := Must(f.s.Profile(f.ctx(), f.user))(t); p.Before != (storage.Fingerprint{}) {
		t.Errorf("profile %+v", p)
	}
	f.rotate(f.present(f.family(), 1, with(Fingerprint)), storage.RotateUserChanged, 0)
	if s := f.login(password(Fingerprint)); s.ID == (storage.SessionID{}) || s.OldFingerprint || !s.EndedOthers {
		t.Errorf("a login by the password before: %+v", s)
	}
}

// sessionTimes: a provider says that the person signed in there long ago, or in
// the future. Ends are compared with the session's own beginning: after a sign-out
// everywhere the next login is good, and none escapes a later one.
func sessionTimes(t *testing.T, f *fixture) {
	f.end(storage.EndRequest{Scope: storage.EndUser})
	f.endEveryone()
	hour := time.Now().Add(-time.Hour).Truncate(time.Second)
	if f.h.Advance != nil {
		hour = f.now().Add(-time.Hour).Truncate(time.Second)
	}
	for _, tt := range []struct {
		name string
		says time.Time
		want func(begun time.Time) time.Time
	}{
		{"an hour ago", hour, func(time.Time) time.Time { return hour }},
		{"in an hour", f.now().Add(time.Hour), func(begun time.Time) time.Time { return begun }},
		{"here and now", storage.AtLogin, func(begun time.Time) time.Time { return begun }},
		{"nothing", time.Time{}, func(time.Time) time.Time { return time.Time{} }},
	} {
		f.session = f.login(func(r *storage.SessionRequest) { r.AuthTime = tt.says })
		f.reopen()
		found, _, ok := f.findSession(f.session.ID, 0)
		if want := tt.want(f.session.Begun); !ok || !found.AuthTime.Equal(want) || !f.session.AuthTime.Equal(want) || !found.Begun.Equal(f.session.Begun) {
			t.Errorf("%s: found %v with %v, made with %v, begun %v, want %v", tt.name, ok, found.AuthTime, f.session.AuthTime, found.Begun, want)
		}
		family := f.family()
		if !family.AuthTime.Equal(f.session.AuthTime) || family.Created.Before(f.session.Begun) {
			t.Errorf("%s: the family says %v and %v", tt.name, family.AuthTime, family.Created)
		}
		f.take(f.code(), storage.CodeTaken)
		f.rotate(f.present(family, 1), storage.Rotated, 2)
	}
	last := f.session
	f.pass(time.Second)
	f.endEveryone()
	if f.loginOver() { // where the caller knows of it: see endClient
		return
	}
	f.wantSession(last.ID, false)
	if f.create(f.createRequest()).Created {
		t.Error("a login that is over begins a family")
	}
}

func sessionRacing(t *testing.T, f *fixture) {
	for range 5 {
		session := f.login()
		f.pass(time.Second) // half of the idle limit: every use is written
		Concurrently(8, func(i int) {
			var err error
			if i == 4 {
				_, err = f.s.End(f.ctx(), storage.EndRequest{User: f.user, Scope: storage.EndSession, Session: session.ID, DenyFor: denyFor, Attempt: random8[storage.Attempt]()})
			} else {
				_, _, _, err = f.s.Session(f.ctx(), f.user, session.ID, 2*time.Second, storage.ClientTag{})
			}
			if err != nil {
				t.Errorf("store: %v", err)
			}
		})
		f.wantSession(session.ID, false)
	}
}
