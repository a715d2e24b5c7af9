package clientdoc

import "testing"

// H13: fetches for clients that no operator has named leave places to the others.
func TestH13Places(t *testing.T) {
	t.Parallel()
	l := newLimits()
	stranger, expected := wanted{}, wanted{expected: true}
	count := func(w wanted) (n int) {
		for l.enter(w) {
			n++
		}
		return n
	}
	if n := count(stranger); n != maxUnexpected {
		t.Errorf("%d places of those that nobody expects, want %d", n, maxUnexpected)
	}
	if n := count(expected); n != maxFetches-maxUnexpected {
		t.Errorf("%d places beside them, want %d", n, maxFetches-maxUnexpected)
	}
	l.leave(stranger)
	if !l.enter(expected) || l.enter(stranger) {
		t.Error("a place that was given back is for whoever comes, and there is no other")
	}
	l.leave(expected)
	if !l.enter(stranger) {
		t.Error("a place that nobody could have has been lost")
	}
}
