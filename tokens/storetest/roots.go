package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// again signs the same person in again in the browser of the fixture's session.
func (f *fixture) again() {
	f.t.Helper()
	f.session = f.login(func(r *storage.SessionRequest) { r.Replaces = f.session.ID })
}

// inRoot makes a family as the core does: of the root of the fixture's session.
func (f *fixture) inRoot() storage.Family {
	f.t.Helper()
	return f.family(func(r *storage.CreateRequest) { r.Session = f.session.Root })
}

func (f *fixture) wantRoot(want storage.SessionID) {
	f.t.Helper()
	found, _, ok := f.findSession(f.session.ID, 0)
	if !ok || found.Root != want || f.session.Root != want {
		f.t.Errorf("found %v with root %v, made with root %v, want %v", ok, found.Root, f.session.Root, want)
	}
}

func sessionRoot(_ *testing.T, f *fixture) {
	root, elsewhere := f.session.ID, f.login()
	other := f.family(func(r *storage.CreateRequest) { r.Session = elsewhere.Root })
	f.wantRoot(root)
	first, code := f.inRoot(), random[storage.CodeID]()
	f.putRooted(code)
	f.again()
	second := f.inRoot()
	f.again()
	f.wantRoot(root)
	f.reopen()
	f.wantRoot(root)
	f.rotate(f.present(first, 1), storage.Rotated, 2) // a mere login ends nothing
	end := storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID, Attempt: random8[storage.Attempt]()}
	for range 2 { // sent again, it tells the same
		if res := f.end(end); len(res.Families) != 2 {
			f.t.Errorf("%d families have ended, want 2", len(res.Families))
		}
	}
	f.rotate(f.present(first, 2), storage.RotateUnknown, 0)
	f.rotate(f.present(second, 1), storage.RotateUnknown, 0)
	f.take(code, storage.CodeUnknown)
	f.wantDenied(first.ID, time.Time{})
	var sid [16]byte
	copy(sid[:], root[:])
	f.wantEntry(storage.DenySession, sid, time.Time{})
	f.wantSession(f.session.ID, false)
	f.wantSession(elsewhere.ID, true)
	f.rotate(f.present(other, 1), storage.Rotated, 2)
	if res := f.create(f.createRequest(func(r *storage.CreateRequest) { r.Session = root })); res.Created {
		f.t.Error("a family began late in a root that has ended")
	}
}

// putRooted puts a code as the core does.
func (f *fixture) putRooted(id storage.CodeID) {
	f.t.Helper()
	r := storage.PutRequest{User: f.user, ID: id, Session: f.session.ID, Begins: f.session.Root, Body: codeBody, Lifetime: time.Minute}
	if kept := Must(f.s.PutCode(f.ctx(), r))(f.t); kept != storage.PutKept {
		f.t.Fatal("PutCode: a live session got no code")
	}
}

// An ID token names the root, whatever session it came from.
func sessionByRoot(_ *testing.T, f *fixture) {
	root, family := f.session.Root, f.inRoot()
	f.again()
	f.again()
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: root})
	f.wantSession(f.session.ID, false)
	f.rotate(f.present(family, 1), storage.RotateUnknown, 0)
	f.wantLive()
}

func sessionRootLife(_ *testing.T, f *fixture) {
	f.again()
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
	f.again() // with the cookie of a session that was signed out
	f.wantRoot(f.session.ID)
	f.again()
	before := f.session.Root
	f.session = f.login(func(r *storage.SessionRequest) {
		r.Replaces, r.Profile.Fingerprint = f.session.ID, storage.Fingerprint{9}
	})
	if f.session.Root == before {
		f.t.Error("a login with a new password goes on with the old session")
	}
	f.wantRoot(f.session.ID)
	f.pass(2*f.lifetime + time.Second)
	f.session = f.login(func(r *storage.SessionRequest) {
		r.Replaces, r.Profile.Fingerprint = f.session.ID, storage.Fingerprint{9}
	})
	f.wantRoot(f.session.ID)
}

func sessionACR(_ *testing.T, f *fixture) {
	want := map[storage.SessionID]string{f.session.ID: ""}
	amr, ways := []string{"pwd", "otp", "hwk"}, map[storage.SessionID][]string{}
	for _, acr := range []string{"pwd", "", "urn:mace:incommon:iap:silver", "https://refeds.org/profile/mfa?with=more&than=a%20listpack%20holds"} {
		replaces := f.session.ID
		f.session = f.login(func(r *storage.SessionRequest) { r.ACR, r.AMR, r.Replaces = acr, amr, replaces })
		delete(want, replaces)
		want[f.session.ID] = acr
		ways[f.session.ID] = amr
		elsewhere := f.login(func(r *storage.SessionRequest) { r.ACR = acr })
		want[elsewhere.ID] = acr
		only := f.login(func(r *storage.SessionRequest) { r.ACR, r.AMR = acr, amr[:1] })
		want[only.ID], ways[only.ID] = acr, amr[:1]
	}
	f.reopen()
	for id, acr := range want {
		if session, _, found := f.findSession(id, 0); !found || session.ACR != acr || !slices.Equal(session.AMR, ways[id]) {
			f.t.Errorf("found %v with acr %q and amr %q, want %q and %q", found, session.ACR, session.AMR, acr, ways[id])
		}
	}
}

func moveRoot(_ *testing.T, f *fixture) {
	root, family := f.session.Root, f.inRoot()
	f.session = f.login(func(r *storage.SessionRequest) {
		r.Replaces, r.ACR, r.AMR = f.session.ID, "mfa", []string{"pwd", "otp"}
	})
	f.move()
	f.wantRoot(root)
	if session, _, _ := f.findSession(f.session.ID, 0); session.ACR != "mfa" || len(session.AMR) != 2 {
		f.t.Errorf("acr %q, amr %q", session.ACR, session.AMR)
	}
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
	f.rotate(f.present(family, 1), storage.RotateUnknown, 0)
}
