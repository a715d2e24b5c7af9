package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var rotateCases = []testCase{
	{"current generation", rotateCurrent},
	{"same attempt again", rotateAgain},
	{"predecessor within leeway", rotateReplay},
	{"leeway boundary", rotateLeewayBoundary},
	{"repeats do not extend the leeway", rotateLeewayRepeats},
	{"strict", rotateStrict},
	{"grandparent within leeway", rotateGrandparent},
	{"reuse ends the family", rotateReuse},
	{"spared", rotateSpared},
	{"newer generation heals", rotateHeal},
	{"without rotation", rotateKept},
	{"looked at without rotation", rotateLooked},
	{"use without rotation does not reopen the leeway", rotateKeptLeeway},
	{"switching rotation on and off", rotateSwitch},
	{"young generation stays", rotateYoung},
	{"young generation, 100 at once", rotateYoungConcurrently},
	{"unknown", rotateUnknown},
	{"mismatch", rotateMismatch},
	{"user changed", rotateUserChanged},
	{"begun before the watermark", rotateWatermark},
	{"100 at once within leeway", rotateConcurrently},
	{"100 at once strict", rotateConcurrentlyStrict},
	{"racing End", rotateRacingEnd},
	{"survives reopening", rotateReopen},
}

func rotateCurrent(t *testing.T, f *fixture) {
	family := f.family()
	for generation := uint32(1); generation < 20; generation++ {
		res := f.rotate(f.present(family, generation), storage.Rotated, generation+1)
		got := res.Family
		if got.ID != family.ID || got.Client != family.Client || got.Grant != family.Grant || got.Session != family.Session ||
			!got.Created.Equal(family.Created) || !got.AuthTime.Equal(family.AuthTime) || !got.Expires.Equal(family.Expires) {
			t.Fatalf("a rotation changed what never changes: %+v, was %+v", got, family)
		}
		if !sameProfile(res.Profile, profile) {
			t.Fatalf("profile %+v", res.Profile)
		}
		if now := f.now(); res.IssueAt.After(now) || res.IssueAt.Before(now.Add(-time.Minute)) || got.Rotated.After(now) {
			t.Fatalf("issued at %v, rotated at %v, now %v", res.IssueAt, got.Rotated, now)
		}
	}
	f.wantLive(family.ID)
}

func rotateAgain(t *testing.T, f *fixture) {
	family := f.family()
	r := f.present(family, 1, strict)
	first := f.rotate(r, storage.Rotated, 2)
	f.pass(time.Second)
	again := f.rotate(r, storage.Rotated, 2)
	if !again.Family.Rotated.Equal(first.Family.Rotated) {
		t.Error("sending a call again moved the time of the rotation")
	}
	f.rotate(f.present(family, 2), storage.Rotated, 3)
}

func rotateReplay(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	for range 5 {
		res := f.rotate(f.present(family, 1), storage.RotateReplayed, 2)
		if !sameProfile(res.Profile, profile) || res.IssueAt.IsZero() {
			t.Fatal("a replay lacks the profile or the time")
		}
	}
	f.rotate(f.present(family, 2), storage.Rotated, 3)
}

func rotateLeewayBoundary(t *testing.T, f *fixture) {
	f.needClock()
	family := f.family()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.pass(Leeway - time.Millisecond)
	f.rotate(f.present(family, 1), storage.RotateReplayed, 2)
	f.pass(time.Millisecond)
	f.rotate(f.present(family, 1), storage.RotateReused, 0)
}

func rotateLeewayRepeats(t *testing.T, f *fixture) {
	const short = 2 * time.Second
	within := func(r *storage.RotateRequest) { r.Leeway = short }
	family := f.family()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.rotate(f.present(family, 1, within), storage.RotateReplayed, 2)
	f.pass(short / 2)
	f.rotate(f.present(family, 1, within), storage.RotateReplayed, 2)
	f.pass(short / 2)
	f.rotate(f.present(family, 1, within), storage.RotateReused, 0)
}

func rotateStrict(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1, strict), storage.Rotated, 2)
	f.rotate(f.present(family, 1, strict), storage.RotateReused, 0)
	f.rotate(f.present(family, 2, strict), storage.RotateUnknown, 0)
}

func rotateGrandparent(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.rotate(f.present(family, 2), storage.Rotated, 3)
	f.rotate(f.present(family, 1), storage.RotateReused, 0)
	f.rotate(f.present(family, 3), storage.RotateUnknown, 0)
}

func rotateReuse(t *testing.T, f *fixture) {
	family, other := f.family(), f.family()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.rotate(f.present(family, 2), storage.Rotated, 3)
	since := f.now()
	kill := f.present(family, 1)
	f.rotate(kill, storage.RotateReused, 0)
	f.wantDenied(family.ID, since) // by the same step
	f.rotate(kill, storage.RotateReused, 0)
	f.rotate(f.present(family, 3), storage.RotateUnknown, 0)
	f.rotate(f.present(family, 1), storage.RotateUnknown, 0)
	f.wantLive(other.ID)
	if n := len(f.denials().Entries); n != 1 {
		t.Errorf("%d entries in the denylist, want 1", n)
	}
	f.rotate(f.present(other, 1), storage.Rotated, 2)
}

// M-36: copies of one program share a token; the old ones are refused, the newest is good.
func rotateSpared(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1, strict), storage.Rotated, 2)
	for range 2 {
		old := f.present(family, 1, strict)
		old.Spare = true
		f.rotate(old, storage.RotateSpared, 2)
	}
	f.wantLive(family.ID)
	if n := len(f.denials().Entries); n != 0 {
		t.Errorf("%d entries in the denylist, want none", n)
	}
	f.rotate(f.present(family, 2, strict), storage.Rotated, 3)
	f.rotate(f.present(family, 1, strict), storage.RotateReused, 0) // without it
}

func rotateHeal(t *testing.T, f *fixture) {
	family := f.family()
	r := f.present(family, 5, strict)
	f.rotate(r, storage.RotateHealed, 6)
	if res := Must(f.s.Rotate(f.ctx(), r))(t); res.Family.Generation != 6 {
		t.Errorf("sending the call again: generation %d, want 6", res.Family.Generation)
	}
	f.rotate(f.present(family, 5), storage.RotateReplayed, 6)
	f.rotate(f.present(family, 6), storage.Rotated, 7)

	kept := f.family()
	f.rotate(f.present(kept, 4, noRotation), storage.RotateHealed, 4)
	f.rotate(f.present(kept, 4, noRotation), storage.RotateKept, 4)
	f.rotate(f.present(kept, 3, noRotation), storage.RotateReused, 0)
}

func rotateKept(t *testing.T, f *fixture) {
	family := f.family()
	r := f.present(family, 1, noRotation)
	f.rotate(r, storage.RotateKept, 1)
	f.rotate(r, storage.RotateKept, 1)
	f.pass(2 * time.Second)
	res := f.rotate(f.present(family, 1, noRotation), storage.RotateKept, 1)
	if !res.Family.IdleExpires.After(family.IdleExpires) {
		t.Error("use did not move the idle end")
	}
	if !sameProfile(res.Profile, profile) {
		t.Errorf("profile %+v", res.Profile)
	}
}

func rotateLooked(t *testing.T, f *fixture) {
	look := func(r *storage.RotateRequest) { r.Rotation, r.Unused = false, true }
	family := f.family()
	f.rotate(f.present(family, 1, noRotation), storage.RotateKept, 1)
	f.pass(2 * time.Second)
	used := f.rotate(f.present(family, 1, noRotation), storage.RotateKept, 1).Family
	f.pass(2 * time.Second)
	for range 2 {
		res := f.rotate(f.present(family, 1, look), storage.RotateKept, 1)
		if !res.Family.IdleExpires.Equal(used.IdleExpires) || !res.Family.Rotated.Equal(used.Rotated) || !sameProfile(res.Profile, profile) || res.IssueAt.IsZero() {
			t.Errorf("looking left %+v, was %+v", res.Family, used)
		}
	}
	live, found, err := f.s.LiveFamily(f.ctx(), f.user, family.ID)
	NoError(t, err)
	if !found || !live.IdleExpires.Equal(used.IdleExpires) || !live.Rotated.Equal(used.Rotated) {
		t.Errorf("it is %+v", live)
	}
	f.rotate(f.present(family, 1, look, func(r *storage.RotateRequest) { r.Fingerprints = nil }), storage.RotateUserChanged, 0)
}

func rotateKeptLeeway(t *testing.T, f *fixture) {
	for _, last := range [](func(*storage.RotateRequest)){noRotation, func(*storage.RotateRequest) {}} {
		family := f.family()
		f.rotate(f.present(family, 1), storage.Rotated, 2)
		f.pass(2 * time.Second)
		f.rotate(f.present(family, 2, noRotation), storage.RotateKept, 2)
		// Generation 2 is 2 s old; that it was used just now is nothing to 1.
		within := func(r *storage.RotateRequest) { r.Leeway = 2 * time.Second }
		f.rotate(f.present(family, 1, within, last), storage.RotateReused, 0)
	}
}

func rotateSwitch(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1, noRotation), storage.RotateKept, 1)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.rotate(f.present(family, 1), storage.RotateReplayed, 2)
	f.rotate(f.present(family, 1, noRotation), storage.RotateReplayed, 2)
	f.rotate(f.present(family, 2, noRotation), storage.RotateKept, 2)
	f.rotate(f.present(family, 2), storage.Rotated, 3)
	f.rotate(f.present(family, 2), storage.RotateReplayed, 3)
}

func rotateUnknown(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(storage.Family{ID: random[storage.FamilyID](), Client: app, Grant: grant}, 1), storage.RotateUnknown, 0)
	f.rotate(f.present(family, 1, func(r *storage.RotateRequest) { r.User = random[storage.UserTag]() }), storage.RotateUnknown, 0)
	f.wantLive(family.ID)
}

func rotateMismatch(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1, func(r *storage.RotateRequest) { r.Client = otherApp }), storage.RotateMismatch, 0)
	f.rotate(f.present(family, 1, func(r *storage.RotateRequest) { r.Grant = storage.GrantID{8} }), storage.RotateMismatch, 0)
	f.rotate(f.present(family, 9, func(r *storage.RotateRequest) { r.Client = otherApp }), storage.RotateMismatch, 0)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
}

func rotateUserChanged(t *testing.T, f *fixture) {
	family := f.family()
	other, none := storage.Fingerprint{9}, storage.Fingerprint{}
	for _, prints := range [][]storage.Fingerprint{{other}, {none}, {}, {other, none}} {
		f.rotate(f.present(family, 1, with(prints...)), storage.RotateUserChanged, 0)
	}
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	many := make([]storage.Fingerprint, storage.MaxFingerprints-1)
	for i := range many {
		many[i] = random8[storage.Fingerprint]()
	}
	f.rotate(f.present(family, 2, with(append(many, Fingerprint)...)), storage.Rotated, 3)

	// A user without a profile has no fingerprint either.
	f.user = random[storage.UserTag]()
	f.rotate(f.present(f.family(), 1, with(none)), storage.RotateUserChanged, 0)
}

func rotateWatermark(t *testing.T, f *fixture) {
	family := f.family()
	at := func(d time.Duration) func(*storage.RotateRequest) {
		return func(r *storage.RotateRequest) { r.BegunAfter = family.Created.Add(d) }
	}
	f.rotate(f.present(family, 1, at(-time.Second)), storage.Rotated, 2)
	f.rotate(f.present(family, 2, at(0)), storage.RotateUnknown, 0)
	f.rotate(f.present(family, 2, at(time.Second)), storage.RotateUnknown, 0)
}

func rotateReopen(t *testing.T, f *fixture) {
	family, killed := f.family(), f.family()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.rotate(f.present(killed, 1, strict), storage.Rotated, 2)
	kill := f.present(killed, 1, strict)
	f.rotate(kill, storage.RotateReused, 0)
	f.reopen()
	f.rotate(kill, storage.RotateReused, 0)
	f.wantDenied(killed.ID, time.Time{})
	f.rotate(f.present(family, 2), storage.Rotated, 3)
	f.rotate(f.present(family, 1), storage.RotateReused, 0)
}
