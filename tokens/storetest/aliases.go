package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var aliasCases = []testCase{
	{"F50: somebody is somebody else", aliasFound},
	{"F50: until that is taken back", aliasRemoved},
	{"aliases move", aliasMoves},
	{"H1: another fingerprint on purpose", rebind},
	{"H1: another fingerprint for one of two", rebindRacing},
}

func (f *fixture) alias(from, subject string) {
	f.t.Helper()
	NoError(f.t, f.s.PutAlias(f.ctx(), storage.Alias{From: from, Subject: subject}))
}

// wantAliases expects these, and no others.
func (f *fixture) wantAliases(want ...storage.Alias) {
	f.t.Helper()
	all := Must(f.s.ListAliases(f.ctx()))(f.t)
	slices.SortFunc(all, func(a, b storage.Alias) int { return strings.Compare(a.From, b.From) })
	if !slices.Equal(all, want) {
		f.t.Errorf("aliases %+v, want %+v", all, want)
	}
	for _, a := range want {
		if got := Must(f.s.Alias(f.ctx(), storage.TagSubject(a.From)))(f.t); got != a {
			f.t.Errorf("alias %+v, want %+v", got, a)
		}
	}
}

func (f *fixture) wantNoAlias(from string) {
	f.t.Helper()
	if got := Must(f.s.Alias(f.ctx(), storage.TagSubject(from)))(f.t); got != (storage.Alias{}) {
		f.t.Errorf("alias %+v, want none", got)
	}
}

func aliasFound(_ *testing.T, f *fixture) {
	f.wantAliases()
	f.wantNoAlias("company|b")
	long := "company|" + strings.Repeat("\x00\xff", 200)
	f.alias("company|b", "company|a")
	f.alias("company|b", "company|a") // the same call sent again
	f.alias(long, "company|a")
	want := []storage.Alias{{From: long, Subject: "company|a"}, {From: "company|b", Subject: "company|a"}}
	f.wantAliases(want...)
	f.wantNoAlias("company|a")
	f.reopen()
	f.pass(2 * f.lifetime)
	f.wantAliases(want...)
}

func aliasRemoved(_ *testing.T, f *fixture) {
	f.alias("company|b", "company|a")
	f.alias("company|c", "company|a")
	f.alias("company|b", "company|other")
	f.wantAliases(storage.Alias{From: "company|b", Subject: "company|other"}, storage.Alias{From: "company|c", Subject: "company|a"})
	f.alias("company|b", "")
	f.alias("company|b", "")
	f.wantNoAlias("company|b")
	f.reopen()
	f.wantAliases(storage.Alias{From: "company|c", Subject: "company|a"})
}

func aliasMoves(_ *testing.T, f *fixture) {
	f.empty() // else skipped
	f.alias("company|b", "company|a")
	f.alias("company|c", "company|a")
	f.move()
	f.wantAliases(storage.Alias{From: "company|b", Subject: "company|a"}, storage.Alias{From: "company|c", Subject: "company|a"})
}

// rebind: nothing but the fingerprint is another one.
func rebind(t *testing.T, f *fixture) {
	f.user = random[storage.UserTag]()
	p := f.provider(time.Minute, `{"email":"alice@example.com"}`, "staff")
	p.Subject = "company|" + strings.Repeat("long", 40) // in pieces
	f.session = f.login(as(p))
	family := f.family()
	bind := func(from, to storage.Fingerprint) bool {
		t.Helper()
		return Must(f.s.Rebind(f.ctx(), storage.RebindRequest{User: f.user, From: from, To: to}))(t)
	}
	other := storage.Fingerprint{9}
	for range 2 { // the same call sent again
		if !bind(p.Fingerprint, other) {
			t.Error("the fingerprint is not the other one")
		}
	}
	if bind(p.Fingerprint, storage.Fingerprint{8}) || bind(storage.Fingerprint{7}, storage.Fingerprint{8}) {
		t.Error("a fingerprint was replaced that is another one")
	}
	f.rotate(f.present(family, 1), storage.RotateUserChanged, 0)
	p.Fingerprint = other
	f.reopen()
	f.wantProfile(Must(f.s.Profile(f.ctx(), f.user))(t), p, "Profile")
	f.wantSession(f.session.ID, true)
	f.wantProfile(f.rotate(f.present(family, 1, with(other)), storage.Rotated, 2).Profile, p, "rotated")
	if f.login(as(p)).EndedOthers {
		t.Error("a login by the other one has ended what was there")
	}
	f.wantLive(family.ID)
	f.user = random[storage.UserTag]()
	if bind(storage.Fingerprint{}, other) || Must(f.s.Held(f.ctx(), f.user))(t).Profile.Subject != "" {
		t.Error("somebody unknown has a fingerprint")
	}
}

func rebindRacing(t *testing.T, f *fixture) {
	var bound [8]bool
	Concurrently(len(bound), func(i int) {
		bound[i] = Must(f.s.Rebind(f.ctx(), storage.RebindRequest{User: f.user, From: Fingerprint, To: storage.Fingerprint{byte(i + 1), 7}}))(t)
	})
	won := slices.Index(bound[:], true)
	if got := Must(f.s.Profile(f.ctx(), f.user))(t).Fingerprint; won < 0 || slices.Contains(bound[won+1:], true) || got != (storage.Fingerprint{byte(won + 1), 7}) {
		t.Errorf("bound %v, fingerprint %v", bound, got)
	}
}
