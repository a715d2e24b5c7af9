package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var personCases = []testCase{
	{"a person comes with every answer", personComes},
	{"C9: newer facts win", personNewer},
	{"H1: another fingerprint brings its own facts", personOther},
	{"nothing known", personNothing},
	{"a person moves", personMoves},
	{"C1: a lost group", groupLost},
	{"C1: what comes before the groups", groupLast},
}

// provider is a profile as a provider's login brings it, asked for some time ago.
func (f *fixture) provider(ago time.Duration, claims string, groups ...string) storage.Profile {
	f.t.Helper()
	p := storage.Profile{Subject: "company|00u1", Fingerprint: Fingerprint}
	p.Person = storage.Person{AsOf: f.now().Add(-ago).Truncate(time.Millisecond), Checked: f.now().Truncate(time.Second), Claims: []byte(claims)}
	for _, g := range groups {
		p.Person.Groups = append(p.Person.Groups, storage.TagGroup(g))
	}
	p.Person.Groups = storage.SortGroups(p.Person.Groups)
	return p
}

// as changes the profile of a login.
func as(p storage.Profile) func(*storage.SessionRequest) {
	return func(r *storage.SessionRequest) { r.Profile = p }
}

func (f *fixture) wantProfile(got, want storage.Profile, where string) {
	f.t.Helper()
	if !sameProfile(got, want) {
		f.t.Errorf("%s: profile %+v, want %+v", where, got, want)
	}
}

func personComes(t *testing.T, f *fixture) {
	f.user = random[storage.UserTag]()
	p := f.provider(time.Minute, `{"email":"alice@example.com"}`, "staff", "editors")
	f.session = f.login(as(p))
	family, code := f.family(), f.code()
	f.reopen()
	_, got, _ := f.findSession(f.session.ID, 0)
	f.wantProfile(got, p, "Session")
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), p, "Profile")
	f.wantProfile(Must(f.s.Held(f.ctx(), f.user))(t).Profile, p, "Held")
	f.wantProfile(f.rotate(f.present(family, 1), storage.Rotated, 2).Profile, p, "rotated")
	f.wantProfile(f.rotate(f.present(family, 1), storage.RotateReplayed, 2).Profile, p, "replayed")
	f.wantProfile(f.rotate(f.present(family, 2, noRotation), storage.RotateKept, 2).Profile, p, "kept")
	f.wantProfile(f.rotate(f.present(family, 9), storage.RotateHealed, 10).Profile, p, "healed")
	f.wantProfile(Must(f.s.TakeCode(f.ctx(), storage.TakeRequest{User: f.user, ID: code, Client: app, DenyFor: denyFor, Attempt: random8[storage.Attempt]()}))(t).Profile, p, "TakeCode")
	f.end(storage.EndRequest{Scope: storage.EndUser})
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), p, "after a sign-out")
}

func personNewer(t *testing.T, f *fixture) {
	f.user = random[storage.UserTag]()
	now := f.provider(0, `{"n":2}`)
	f.login(as(now))
	f.login(as(f.provider(time.Minute, `{"n":1}`, "admin"))) // a slow answer
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), now, "after a slow answer")
	f.pass(time.Second)
	before := f.now()
	undated := profile
	f.login(as(undated))
	got := Must(f.s.Profile(f.ctx(), f.user))(t)
	f.wantProfile(got, undated, "after facts of now")
	if got.Person.AsOf.Before(before) || got.Person.AsOf.After(f.now()) {
		t.Errorf("facts without a date are of %v, written at %v", got.Person.AsOf, before)
	}
	f.pass(time.Second)
	newer := f.provider(0, `{"n":3}`, "staff")
	f.login(as(newer))
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), newer, "after newer facts")
}

func personOther(t *testing.T, f *fixture) {
	f.login(as(f.provider(0, `{"n":1}`, "admin")))
	other := f.provider(time.Hour, `{"n":2}`)
	other.Fingerprint = storage.Fingerprint{9}
	f.login(as(other))
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), other, "of another login")
	nothing := storage.Profile{Subject: "local|alice", Fingerprint: Fingerprint}
	f.login(as(nothing))
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), nothing, "of a login that knows nothing")
}

func personNothing(t *testing.T, f *fixture) {
	f.user = random[storage.UserTag]()
	bare := storage.Profile{Subject: "local|alice", Fingerprint: Fingerprint}
	f.session = f.login(as(bare))
	family := f.family()
	f.wantProfile(f.rotate(f.present(family, 1), storage.Rotated, 2).Profile, bare, "rotated")
	f.login()
	f.wantProfile(f.rotate(f.present(family, 2), storage.Rotated, 3).Profile, profile, "once something is known")
	f.pass(time.Second)
	f.login(as(bare))
	f.wantProfile(f.rotate(f.present(family, 3), storage.Rotated, 4).Profile, bare, "once nothing is known")
	f.wantProfile(Must(f.s.Held(f.ctx(), f.user))(t).Profile, bare, "Held")
}

func personMoves(t *testing.T, f *fixture) {
	f.empty() // else skipped
	f.user = random[storage.UserTag]()
	p := f.provider(time.Minute, `{"email":"alice@example.com"}`, "staff", "editors")
	f.session = f.login(as(p))
	family := f.family()
	f.move()
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), p, "Profile")
	f.wantProfile(f.rotate(f.present(family, 1), storage.Rotated, 2).Profile, p, "rotated")
}

// staff demands of a refresh that the person is of the staff, or an editor.
func staff(r *storage.RotateRequest) {
	r.Groups = storage.AllOf{{storage.TagGroup("editors"), storage.TagGroup("staff")}}
}

// groupLost: who has lost a group spends nothing by trying, and goes on where they
// stopped once they have it again.
func groupLost(t *testing.T, f *fixture) {
	f.user = random[storage.UserTag]()
	f.session = f.login(as(f.provider(0, `{"n":1}`, "a", "staff", "z")))
	family := f.family()
	f.rotate(f.present(family, 1, staff), storage.Rotated, 2)
	f.pass(time.Second)
	f.login(as(f.provider(0, `{"n":2}`, "a", "z")))
	before := Must(f.s.ListFamilies(f.ctx(), f.user))(t)[0]
	f.pass(time.Second)
	for _, r := range []storage.RotateRequest{
		f.present(family, 2, staff), f.present(family, 2, staff), f.present(family, 1, staff), f.present(family, 9, staff),
		f.present(family, 2, staff, noRotation),
		f.present(family, 2, staff, func(r *storage.RotateRequest) { r.Settle = time.Hour }),
		f.present(family, 2, func(r *storage.RotateRequest) {
			r.Groups = storage.AllOf{{storage.TagGroup("a")}, {storage.TagGroup("staff")}}
		}),
		f.present(family, 2, func(r *storage.RotateRequest) { r.Groups = storage.AllOf{{}} }),
	} {
		res := f.rotate(r, storage.RotateNotAllowed, 0)
		if res.Family != before || res.Profile.Subject != "" || !res.IssueAt.IsZero() {
			t.Errorf("answered %+v", res)
		}
	}
	f.reopen()
	if after := Must(f.s.ListFamilies(f.ctx(), f.user))(t)[0]; after != before {
		t.Errorf("written %+v over %+v", after, before)
	}
	f.pass(time.Second)
	f.login(as(f.provider(0, `{"n":3}`, "editors")))
	f.rotate(f.present(family, 2, staff), storage.Rotated, 3)

	// Somebody of whom nothing is known is in no group.
	f.user = random[storage.UserTag]()
	f.session = f.login(as(storage.Profile{Subject: "local|alice", Fingerprint: Fingerprint}))
	family = f.family()
	f.rotate(f.present(family, 1, staff), storage.RotateNotAllowed, 0)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
}

func groupLast(_ *testing.T, f *fixture) {
	family, expired := f.family(), f.family(func(r *storage.CreateRequest) { r.Lifetime = time.Second })
	ended := f.family()
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: ended.ID})
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.rotate(f.present(family, 2), storage.Rotated, 3)
	f.rotate(f.present(family, 3, staff), storage.RotateNotAllowed, 0)
	f.rotate(f.present(family, 3, staff, with(storage.Fingerprint{9})), storage.RotateUserChanged, 0)
	f.rotate(f.present(family, 3, staff, func(r *storage.RotateRequest) { r.Client = otherApp }), storage.RotateMismatch, 0)
	f.pass(2 * time.Second)
	f.rotate(f.present(expired, 1, staff), storage.RotateExpired, 0)
	f.rotate(f.present(ended, 1, staff), storage.RotateUnknown, 0)
	since := f.now()
	f.rotate(f.present(family, 1, staff), storage.RotateReused, 0)
	f.wantDenied(family.ID, since)
}
