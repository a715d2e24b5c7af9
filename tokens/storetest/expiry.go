package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var expiryCases = []testCase{
	{"absolute end", expiryAbsolute},
	{"idle end", expiryIdle},
	{"exact ends", expiryExact},
	{"no ends", expiryNone},
	{"shortened lifetimes", expiryShortened},
	{"longer lifetimes revive nothing", expiryLonger},
}

// expired sends a request for a family that has reached its end. A store may
// have removed it already: it can't count again.
func (f *fixture) expired(r storage.RotateRequest) {
	f.t.Helper()
	res := Must(f.s.Rotate(f.ctx(), r))(f.t)
	if res.Outcome != storage.RotateExpired && res.Outcome != storage.RotateUnknown {
		f.t.Fatalf("Rotate(generation %d) after the end: outcome %d", r.Presented, res.Outcome)
	}
}

func noIdle(r *storage.CreateRequest)        { r.IdleLifetime = 0 }
func noIdleRotate(r *storage.RotateRequest)  { r.IdleLifetime = 0 }
func noLifetime(r *storage.CreateRequest)    { r.Lifetime = 0 }
func noLimitRotate(r *storage.RotateRequest) { r.Lifetime, r.IdleLifetime = 0, 0 }

func expiryAbsolute(t *testing.T, f *fixture) {
	family := f.family(noIdle)
	if want := family.Created.Add(2 * f.lifetime); !family.Expires.Equal(want) || !family.IdleExpires.IsZero() {
		t.Fatalf("expires %v (idle %v), want %v and never", family.Expires, family.IdleExpires, want)
	}
	f.pass(f.lifetime)
	res := f.rotate(f.present(family, 1, noIdleRotate), storage.Rotated, 2)
	if !res.Family.Expires.Equal(family.Expires) {
		t.Error("a rotation moved the absolute end")
	}
	f.pass(f.lifetime + time.Second)
	f.expired(f.present(family, 2, noIdleRotate))
	f.expired(f.present(family, 1, noIdleRotate))
	f.wantLive()
}

func expiryIdle(t *testing.T, f *fixture) {
	family := f.family(noLifetime)
	if !family.Expires.IsZero() {
		t.Fatalf("expires %v, want never", family.Expires)
	}
	limit := func(r *storage.RotateRequest) { r.Lifetime = 0 }
	for generation := uint32(1); generation < 4; generation++ {
		f.pass(f.lifetime / 2)
		f.rotate(f.present(family, generation, limit), storage.Rotated, generation+1)
	}
	f.pass(f.lifetime + time.Second)
	f.expired(f.present(family, 4, limit))
	f.wantLive()
}

func expiryExact(t *testing.T, f *fixture) {
	f.needClock()
	f.toSecond(0)
	family := f.family()
	f.pass(f.lifetime - time.Millisecond)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.pass(f.lifetime)
	f.rotate(f.present(family, 2), storage.Rotated, 3) // idle ends are rounded up to seconds
	f.pass(time.Millisecond)
	f.expired(f.present(family, 3))
}

func expiryNone(t *testing.T, f *fixture) {
	family := f.family(noIdle, noLifetime)
	f.pass(2*f.lifetime + time.Second)
	f.rotate(f.present(family, 1, noLimitRotate), storage.Rotated, 2)
}

func expiryShortened(t *testing.T, f *fixture) {
	first, second, third := f.family(), f.family(), f.family(noIdle, noLifetime)
	f.pass(2 * time.Second)
	f.rotate(f.present(first, 1, func(r *storage.RotateRequest) { r.Lifetime = time.Second }), storage.RotateExpired, 0)
	f.rotate(f.present(second, 1, func(r *storage.RotateRequest) { r.IdleLifetime = time.Second }), storage.RotateExpired, 0)
	f.rotate(f.present(third, 1, func(r *storage.RotateRequest) { r.Lifetime = time.Second }), storage.RotateExpired, 0)
	// A family that the configuration has ended doesn't count for the cap.
	f.family(func(r *storage.CreateRequest) { r.MaxActive = 1; r.Lifetime = time.Second })
	if got := f.denials().Entries; len(got) != 0 {
		t.Errorf("%d families evicted, want none", len(got))
	}
}

func expiryLonger(t *testing.T, f *fixture) {
	family := f.family(func(r *storage.CreateRequest) { r.Lifetime = 2 * time.Second })
	f.pass(3 * time.Second)
	f.expired(f.present(family, 1))
	f.expired(f.present(family, 1, noLimitRotate))
}
