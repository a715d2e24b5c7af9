package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var userCases = []testCase{
	{"scan", scanUsers},
	{"scan leaves out what is over", scanExpired},
	{"scan of many", scanMany},
	{"scan that is broken off", scanBroken},
	{"disable", disable},
	{"disable somebody unknown", disableUnknown},
	{"enable", enable},
	{"disabled for good", disabledForGood},
}

// scan returns what a scan brings, by user.
func (f *fixture) scan(parts storage.UserParts) map[storage.UserTag]storage.Record {
	f.t.Helper()
	all := map[storage.UserTag]storage.Record{}
	NoError(f.t, f.s.ScanUsers(f.ctx(), parts, func(r storage.Record) error {
		switch {
		case r.Held != nil:
			all[r.Held.User] = storage.Record{Held: r.Held, Denied: all[r.Held.User].Denied, Codes: all[r.Held.User].Codes}
		case r.Denied != nil:
			all[r.Denied.User] = storage.Record{Denied: r.Denied, Held: all[r.Denied.User].Held, Codes: all[r.Denied.User].Codes}
		case r.Codes != nil:
			all[r.Codes.User] = storage.Record{Codes: r.Codes, Held: all[r.Codes.User].Held, Denied: all[r.Codes.User].Denied}
		default:
			f.t.Error("a scan brought something that belongs to no user")
		}
		return nil
	}))
	return all
}

func scanUsers(t *testing.T, f *fixture) {
	family, gone := f.family(), f.family()
	code := f.code()
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: gone.ID})
	alice := f.user
	f.user = random[storage.UserTag]()
	NoError(t, f.s.DenyToken(f.ctx(), f.user, random[storage.TokenID](), f.now().Add(time.Hour)))
	bob := f.user

	all := f.scan(storage.AllParts)
	if len(all) != 2 {
		t.Errorf("%d users, want 2", len(all))
	}
	held := all[alice].Held
	if held == nil || !sameProfile(held.Profile, profile) ||
		len(held.Families) != 1 || held.Families[0] != family ||
		len(held.Sessions) != 1 || held.Sessions[0].ID != f.session.ID || !held.Sessions[0].Expires.Equal(f.session.Expires) {
		t.Errorf("held %+v", held)
	}
	one := Must(f.s.Held(f.ctx(), alice))(t)
	if !sameProfile(one.Profile, profile) || len(one.Families) != 1 || one.Families[0] != family || len(one.Sessions) != 1 {
		t.Errorf("held by alice alone: %+v", one)
	}
	if one := Must(f.s.Held(f.ctx(), bob))(t); one.User != bob || one.Profile.Subject != "" || len(one.Families)+len(one.Sessions) != 0 {
		t.Errorf("held by bob, who has nothing: %+v", one)
	}
	if codes := all[alice].Codes; codes == nil || len(codes.Codes) != 1 || codes.Codes[0].ID != code || codes.Codes[0].Session != f.session.ID {
		t.Errorf("codes %+v", codes)
	}
	if denied := all[alice].Denied; denied == nil || len(denied.Entries) != 1 || !denied.Entries[0].Lived || denied.Entries[0].ID != gone.ID {
		t.Errorf("denied %+v", denied)
	}
	if denied := all[bob].Denied; denied == nil || len(denied.Entries) != 1 || denied.Entries[0].Kind != storage.DenyToken || all[bob].Held != nil {
		t.Errorf("denied of bob %+v", all[bob])
	}
	if only := f.scan(storage.PartHeld); len(only) != 1 || only[alice].Denied != nil || only[alice].Codes != nil {
		t.Errorf("a scan of what is held brought %+v", only)
	}
}

func scanExpired(t *testing.T, f *fixture) {
	f.family(func(r *storage.CreateRequest) { r.Lifetime = time.Second })
	f.pass(2*f.lifetime + time.Second)
	for _, r := range f.scan(storage.AllParts) {
		if r.Held != nil && len(r.Held.Families)+len(r.Held.Sessions) > 0 || r.Codes != nil {
			t.Errorf("what is over came: %+v", r.Held)
		}
	}
}

func scanMany(t *testing.T, f *fixture) {
	const many = 1200 // more than one page of any store
	want := map[storage.UserTag]bool{f.user: true}
	for range many {
		f.user = random[storage.UserTag]()
		f.login()
		want[f.user] = true
	}
	for user := range f.scan(storage.AllParts) {
		delete(want, user)
	}
	if len(want) > 0 {
		t.Errorf("%d of %d users did not come", len(want), many+1)
	}
}

func scanBroken(t *testing.T, f *fixture) {
	enough := errors.New("enough")
	if err := f.s.ScanUsers(f.ctx(), storage.AllParts, func(storage.Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
}

func (f *fixture) wantDisabled(want bool) {
	f.t.Helper()
	got := slices.ContainsFunc(f.denials().Entries, func(d storage.Denial) bool { return d.Kind == storage.DenyUser })
	if got != want {
		f.t.Errorf("disabled: %v, want %v", got, want)
	}
	session := Must(f.s.CreateSession(f.ctx(), storage.SessionRequest{
		User: f.user, ID: random8[storage.SessionID](), Lifetime: f.lifetime, Profile: profile, DenyFor: denyFor,
	}))(f.t)
	if refused := session.ID == (storage.SessionID{}); refused != want {
		f.t.Errorf("a login is refused: %v, want %v", refused, want)
	}
}

func disable(t *testing.T, f *fixture) {
	family := f.family()
	code := f.code()
	r := storage.EndRequest{Scope: storage.DisableUser, Attempt: random8[storage.Attempt]()}
	for range 2 {
		if res := f.end(r); !slices.Equal(res.Families, []storage.FamilyID{family.ID}) {
			t.Errorf("ended %d families, want 1", len(res.Families))
		}
	}
	f.wantDisabled(true)
	f.wantLive()
	f.wantSession(f.session.ID, false)
	f.take(code, storage.CodeUnknown)
	f.rotate(f.present(family, 1), storage.RotateUnknown, 0)
	if res := f.create(f.createRequest(func(r *storage.CreateRequest) { r.Begun = f.now().Add(time.Minute) })); res.Created {
		t.Error("a family of a disabled user began")
	}
	if f.denials().Before.IsZero() {
		t.Error("the access tokens from before are not denied once the user is enabled")
	}
	f.reopen()
	f.wantDisabled(true)
	if denied := f.scan(storage.PartDenied)[f.user].Denied; denied == nil || !denied.Disabled() {
		t.Error("a scan does not tell that the user is disabled")
	}
}

func disableUnknown(_ *testing.T, f *fixture) {
	f.user = random[storage.UserTag]()
	f.end(storage.EndRequest{Scope: storage.DisableUser})
	f.wantDisabled(true)
}

func enable(t *testing.T, f *fixture) {
	if Must(f.s.Enable(f.ctx(), f.user, random8[storage.Attempt]()))(t) {
		t.Error("somebody who was not disabled is said to have been")
	}
	family := f.family()
	f.end(storage.EndRequest{Scope: storage.DisableUser})
	f.pass(2 * time.Second)
	attempt := random8[storage.Attempt]()
	for range 2 { // the second is the same call sent again
		if !Must(f.s.Enable(f.ctx(), f.user, attempt))(t) {
			t.Error("the disabled user is said not to have been")
		}
	}
	if Must(f.s.Enable(f.ctx(), f.user, random8[storage.Attempt]()))(t) {
		t.Error("somebody who was enabled is said to have been disabled until now")
	}
	if denied := f.scan(storage.PartDenied)[f.user].Denied; denied != nil && denied.Disabled() {
		t.Error("a scan tells that the user is disabled")
	}
	f.wantDisabled(false)
	f.rotate(f.present(family, 1), storage.RotateUnknown, 0) // what was ended stays ended
	f.session = f.login()
	f.rotate(f.present(f.family(), 1), storage.Rotated, 2)
	if f.denials().Before.IsZero() {
		t.Error("the access tokens from before are good again")
	}
	f.end(storage.EndRequest{Scope: storage.DisableUser})
	f.wantDisabled(true)
}

func disabledForGood(_ *testing.T, f *fixture) {
	f.needClock()
	f.end(storage.EndRequest{Scope: storage.DisableUser})
	for range 20 { // entries of others must not push it out
		NoError(f.t, f.s.DenyToken(f.ctx(), f.user, random[storage.TokenID](), f.now().Add(time.Second)))
	}
	f.pass(30 * 365 * 24 * time.Hour)
	f.wantDisabled(true)
}
