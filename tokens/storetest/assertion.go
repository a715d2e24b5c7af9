package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var assertionCases = []testCase{
	{"used once", assertionUsed},
	{"same attempt again", assertionAgain},
	{"over by the store's clock", assertionOver},
	{"100 at once", assertionConcurrently},
	{"survives reopening", assertionReopen},
}

// assertion returns a request that is good for a minute.
func (f *fixture) assertion() storage.AssertionRequest {
	f.t.Helper()
	return storage.AssertionRequest{
		ID: random[storage.AssertionID](), Until: f.now().Add(time.Minute), Attempt: random8[storage.Attempt](),
	}
}

func (f *fixture) useAssertion(r storage.AssertionRequest, want storage.AssertionOutcome) {
	f.t.Helper()
	if got := Must(f.s.UseAssertion(f.ctx(), r))(f.t); got != want {
		f.t.Errorf("UseAssertion: outcome %d, want %d", got, want)
	}
}

func assertionUsed(_ *testing.T, f *fixture) {
	r, other := f.assertion(), f.assertion()
	f.useAssertion(r, storage.AssertionFirst)
	for range 2 {
		r.Attempt = random8[storage.Attempt]()
		f.useAssertion(r, storage.AssertionUsed)
	}
	f.useAssertion(other, storage.AssertionFirst)
}

func assertionAgain(_ *testing.T, f *fixture) {
	r := f.assertion()
	f.useAssertion(r, storage.AssertionFirst)
	f.useAssertion(r, storage.AssertionFirst)
}

// assertionOver: until its end an assertion is remembered, and from then on it
// is refused: at no moment is it good again.
func assertionOver(_ *testing.T, f *fixture) {
	r := f.assertion()
	r.Until = f.now().Add(2 * time.Second)
	f.useAssertion(r, storage.AssertionFirst)
	again := r
	again.Attempt = random8[storage.Attempt]()
	f.pass(1500 * time.Millisecond)
	f.useAssertion(again, storage.AssertionUsed)
	f.pass(600 * time.Millisecond)
	f.useAssertion(again, storage.AssertionOver)
	f.useAssertion(r, storage.AssertionOver)
	late := f.assertion()
	late.Until = f.now()
	f.useAssertion(late, storage.AssertionOver)
}

func assertionConcurrently(t *testing.T, f *fixture) {
	r := f.assertion()
	var first, used atomic.Int32
	Concurrently(100, func(int) {
		call := r
		call.Attempt = random8[storage.Attempt]()
		outcome, err := f.s.UseAssertion(f.ctx(), call)
		switch {
		case err != nil:
			t.Errorf("UseAssertion: %v", err)
		case outcome == storage.AssertionFirst:
			first.Add(1)
		case outcome == storage.AssertionUsed:
			used.Add(1)
		}
	})
	if first.Load() != 1 || used.Load() != 99 {
		t.Errorf("%d first and %d used, want 1 and 99", first.Load(), used.Load())
	}
}

func assertionReopen(_ *testing.T, f *fixture) {
	r := f.assertion()
	f.useAssertion(r, storage.AssertionFirst)
	f.reopen()
	f.useAssertion(r, storage.AssertionFirst)
	r.Attempt = random8[storage.Attempt]()
	f.useAssertion(r, storage.AssertionUsed)
}
