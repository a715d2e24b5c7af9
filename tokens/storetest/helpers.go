package storetest

import (
	"crypto/rand"
	"sync"
	"testing"
)

// Concurrently runs n functions at once and waits for them.
func Concurrently(n int, run func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	wg.Wait()
}

// random returns an id of 128 bits.
func random[T ~[16]byte]() T {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return T(b)
}

// random8 returns an id of 64 bits.
func random8[T ~[8]byte]() T {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return T(b)
}

func Apply[T any](r *T, changes []func(*T)) {
	for _, change := range changes {
		change(r)
	}
}

// Must turns a call's error into the end of the test.
func Must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatalf("store: %v", err)
		}
		return v
	}
}

// NoError ends the test at an error.
func NoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("store: %v", err)
	}
}
