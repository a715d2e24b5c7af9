package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var endCases = []testCase{
	{"family", endFamily},
	{"family that has expired", endExpired},
	{"session", endSession},
	{"user", endUser},
	{"user again after a login", endUserAgain},
	{"login in the second of a sign-out", endUserSameSecond},
	{"second sign-out in the same second", endUserTwice},
	{"sign-out is forgotten when its tokens are dead", endUserForgotten},
	{"racing logins", endUserRacing},
	{"session until a moment", endSessionBefore},
	{"user until a moment", endUserBefore},
	{"session until a moment: what it began late", endLateFamily},
}

func endFamily(t *testing.T, f *fixture) {
	family, other := f.family(), f.family()
	since := f.now()
	r := storage.EndRequest{Scope: storage.EndFamily, Family: family.ID, Attempt: random8[storage.Attempt]()}
	for range 2 {
		res := f.end(r)
		if !slices.Equal(res.Families, []storage.FamilyID{family.ID}) || res.Now.Before(since) {
			t.Errorf("ended %v at %v", res.Families, res.Now)
		}
	}
	f.wantDenied(family.ID, since)
	f.wantLive(other.ID)
	f.rotate(f.present(family, 1), storage.RotateUnknown, 0)
	if res := f.end(storage.EndRequest{Scope: storage.EndFamily, Family: family.ID}); len(res.Families) != 0 {
		t.Error("a family that had been ended is said to have lived")
	}
	f.rotate(f.present(other, 1), storage.Rotated, 2)
}

func endExpired(t *testing.T, f *fixture) {
	family := f.family(func(r *storage.CreateRequest) { r.Lifetime = time.Second })
	f.pass(2 * time.Second)
	since := f.now()
	if res := f.end(storage.EndRequest{Scope: storage.EndFamily, Family: family.ID}); len(res.Families) != 0 {
		t.Error("a family that had expired is said to have lived")
	}
	f.wantDenied(family.ID, since) // its last access token may outlive it
}

func endSession(t *testing.T, f *fixture) {
	mine, too := f.family(), f.family()
	first := f.session
	f.session = f.login()
	other := f.family()
	since := f.now()
	r := storage.EndRequest{Scope: storage.EndSession, Session: first.ID, Attempt: random8[storage.Attempt]()}
	want := []storage.FamilyID{mine.ID, too.ID}
	slices.SortFunc(want, compareIDs)
	for range 2 {
		got := f.end(r).Families
		slices.SortFunc(got, compareIDs)
		if !slices.Equal(got, want) {
			t.Errorf("ended %d families, want those 2 of the session", len(got))
		}
	}
	f.wantDenied(mine.ID, since)
	f.wantDenied(too.ID, since)
	var session [16]byte
	copy(session[:], first.ID[:])
	f.wantEntry(storage.DenySession, session, since) // tokens that came without a family
	f.wantLive(other.ID)
	f.wantSession(first.ID, false)
	f.wantSession(f.session.ID, true)
	f.rotate(f.present(mine, 1), storage.RotateUnknown, 0)
}

func endUser(t *testing.T, f *fixture) {
	mine, too := f.family(), f.family(func(r *storage.CreateRequest) { r.Client = otherApp })
	second := f.login()
	good, spent := f.code(), f.code()
	f.take(spent, storage.CodeTaken)
	alice := f.user
	f.user = random[storage.UserTag]()
	f.login()
	bystander := f.family()
	bob := f.user
	f.user = alice

	since := f.now()
	r := storage.EndRequest{Scope: storage.EndUser, Attempt: random8[storage.Attempt]()}
	want := []storage.FamilyID{mine.ID, too.ID}
	slices.SortFunc(want, compareIDs)
	for range 2 {
		res := f.end(r)
		got := slices.Clone(res.Families)
		slices.SortFunc(got, compareIDs)
		if !slices.Equal(got, want) {
			t.Errorf("ended %d families, want 2", len(got))
		}
		if before := f.denials().Before; before.Before(since.Truncate(time.Second)) || before.After(res.Now) {
			t.Errorf("denied until %v, want %v (and not after %v)", before, since, res.Now)
		}
	}
	f.wantLive()
	f.wantSession(f.session.ID, false)
	f.wantSession(second.ID, false)
	f.take(good, storage.CodeUnknown)
	f.take(spent, storage.CodeUnknown)
	f.rotate(f.present(mine, 1), storage.RotateUnknown, 0)
	if p := Must(f.s.Profile(f.ctx(), f.user))(t); !sameProfile(p, profile) {
		t.Error("the sign-out removed the profile")
	}

	f.user = bob
	f.wantLive(bystander.ID)
	if d := f.denials(); !d.Before.IsZero() || len(d.Entries) != 0 {
		t.Error("the sign-out of one user denied another's tokens")
	}
}

func endUserAgain(t *testing.T, f *fixture) {
	r := storage.EndRequest{Scope: storage.EndUser, Attempt: random8[storage.Attempt]()}
	first := f.end(r)
	before := f.denials().Before
	f.pass(2 * time.Second)
	f.session = f.login()
	family := f.family()
	again := f.end(r)
	if !again.Now.Equal(first.Now) || !f.denials().Before.Equal(before) {
		t.Error("sending the call again moved the sign-out")
	}
	f.wantSession(f.session.ID, true)
	f.wantLive(family.ID)
}

// wantAllAfter demands that whatever the user gets now is dated after the
// sign-out, in seconds, since that is how tokens are compared.
func (f *fixture) wantAllAfter(before time.Time) storage.Family {
	f.t.Helper()
	f.session = f.login()
	code := f.code()
	taken := f.take(code, storage.CodeTaken)
	created := f.create(f.createRequest())
	if !created.Created {
		f.t.Fatal("a login after a sign-out can't begin a family")
	}
	rotated := f.rotate(f.present(created.Family, 1), storage.Rotated, 2)
	for name, at := range map[string]time.Time{
		"Begun": f.session.Begun, "TakeCode": taken.IssueAt, "CreateFamily": created.IssueAt,
		"Created": created.Family.Created, "Rotate": rotated.IssueAt,
	} {
		if at.Unix() <= before.Unix() {
			f.t.Errorf("%s is dated %v, want after %v", name, at, before)
		}
		if ahead := at.Sub(f.now()); ahead > 2*time.Second {
			f.t.Errorf("%s is dated %v ahead", name, ahead)
		}
	}
	return created.Family
}

func endUserSameSecond(t *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	f.family()
	f.end(storage.EndRequest{Scope: storage.EndUser})
	family := f.wantAllAfter(f.denials().Before)
	f.wantLive(family.ID)
	f.rotate(f.present(family, 2), storage.Rotated, 3)
}

func endUserTwice(t *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	f.end(storage.EndRequest{Scope: storage.EndUser})
	family := f.wantAllAfter(f.denials().Before)
	issued := f.rotate(f.present(family, 2), storage.Rotated, 3).IssueAt
	res := f.end(storage.EndRequest{Scope: storage.EndUser})
	before := f.denials().Before
	if before.Unix() < issued.Unix() {
		t.Errorf("a token issued %v escapes the sign-out after it (%v)", issued, before)
	}
	if res.Now.Before(before) {
		t.Errorf("the sign-out answers %v and denies until %v", res.Now, before)
	}
	f.wantLive()
	f.wantAllAfter(before)
}

func endUserForgotten(t *testing.T, f *fixture) {
	f.needClock()
	f.end(storage.EndRequest{Scope: storage.EndUser})
	f.pass(denyFor - time.Second)
	if f.denials().Before.IsZero() {
		t.Error("the sign-out was forgotten while its tokens may live")
	}
	f.pass(4 * time.Second)
	if !f.denials().Before.IsZero() {
		t.Error("the sign-out is still told when no token is left to deny")
	}
}

func endUserRacing(t *testing.T, f *fixture) {
	// Each worker exchanges a code of the session; in the middle the user
	// signs out. What is left must be of no session that was before it.
	Concurrently(32, func(i int) {
		if i == 16 {
			_, err := f.s.End(f.ctx(), storage.EndRequest{User: f.user, Scope: storage.EndUser, DenyFor: denyFor, Attempt: random8[storage.Attempt]()})
			if err != nil {
				t.Errorf("End: %v", err)
			}
			return
		}
		if _, err := f.s.CreateFamily(f.ctx(), f.createRequest()); err != nil {
			t.Errorf("CreateFamily: %v", err)
		}
	})
	f.wantLive()
	f.wantSession(f.session.ID, false)
}

// A logout of a provider's reaches what was begun by the time that it names, and nothing since.
func endSessionBefore(t *testing.T, f *fixture) {
	old, root := f.family(), f.session.ID
	before := f.now()
	f.pass(2 * time.Second)
	f.session = f.login(func(r *storage.SessionRequest) { r.Replaces = root }) // the same browser
	later := f.family(func(r *storage.CreateRequest) { r.Session = root })
	since := f.now()
	r := storage.EndRequest{Scope: storage.EndSession, Session: root, Before: before, Attempt: random8[storage.Attempt]()}
	for range 2 {
		if res := f.end(r); !slices.Equal(res.Families, []storage.FamilyID{old.ID}) || !res.New {
			t.Errorf("ended %v, new %v", res.Families, res.New)
		}
	}
	f.wantDenied(old.ID, since)
	f.wantLive(later.ID)
	f.wantSession(f.session.ID, true)
	f.rotate(f.present(later, 1), storage.Rotated, 2)
	if res := f.end(storage.EndRequest{Scope: storage.EndSession, Session: root, Before: before}); res.New || len(res.Families) != 0 {
		t.Errorf("the same token again ended %v, new %v", res.Families, res.New)
	}
	f.code() // of the later session: it has not ended
	if res := f.end(storage.EndRequest{Scope: storage.EndSession, Session: root, Before: f.now().Add(10 * time.Second)}); len(res.Families) != 1 {
		t.Errorf("a later token ended %v", res.Families)
	}
	f.wantLive()
	f.wantSession(f.session.ID, false)
}

// What an ended session has begun since, before anybody here knew of the end, ends with it.
func endLateFamily(t *testing.T, f *fixture) {
	for _, scope := range []storage.EndScope{storage.EndSession, storage.EndUser} {
		f.session = f.login()
		before := f.now()
		f.pass(2 * time.Second)
		late, root := f.family(), f.session.ID
		since := f.now()
		res := f.end(storage.EndRequest{Scope: scope, Session: root, Before: before})
		if !slices.Equal(res.Families, []storage.FamilyID{late.ID}) || !res.New {
			t.Errorf("scope %d: ended %v, new %v", scope, res.Families, res.New)
		}
		f.wantDenied(late.ID, since)
		var session [16]byte
		copy(session[:], root[:])
		f.wantEntry(storage.DenySession, session, since)
		f.wantSession(root, false)
	}
}

func endUserBefore(t *testing.T, f *fixture) {
	old, root := f.family(), f.session
	code := f.code()
	before := f.now()
	f.pass(2 * time.Second)
	f.session = f.login()
	later, good := f.family(), f.code()
	since := f.now()
	r := storage.EndRequest{Scope: storage.EndUser, Before: before, Attempt: random8[storage.Attempt]()}
	for range 2 {
		if res := f.end(r); !slices.Equal(res.Families, []storage.FamilyID{old.ID}) {
			t.Errorf("ended %v", res.Families)
		}
	}
	f.wantDenied(old.ID, since)
	var session [16]byte
	copy(session[:], root.ID[:])
	f.wantEntry(storage.DenySession, session, since)
	if d := f.denials(); !d.Before.Equal(before.Truncate(time.Second)) {
		t.Errorf("denied until %v, want %v", d.Before, before)
	}
	f.wantLive(later.ID)
	f.wantSession(root.ID, false)
	f.wantSession(f.session.ID, true)
	f.take(code, storage.CodeUnknown)
	f.take(good, storage.CodeTaken)
	f.rotate(f.present(later, 1), storage.Rotated, 2)
	if res := f.end(storage.EndRequest{Scope: storage.EndUser, Before: before}); res.New || len(res.Families) != 0 {
		t.Errorf("the same token again ended %v, new %v", res.Families, res.New)
	}
	f.wantSession(f.session.ID, true)
	// One that reaches ahead of the clock is as good as one that names no time.
	if res := f.end(storage.EndRequest{Scope: storage.EndUser, Before: f.now().Add(10 * time.Second)}); len(res.Families) != 1 || !res.New {
		t.Errorf("a later token ended %v", res.Families)
	}
	f.wantSession(f.session.ID, false)
	f.session = f.login() // and keeps nobody from signing in again
	f.family()
}
