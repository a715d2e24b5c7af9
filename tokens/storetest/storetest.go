// Package storetest is the conformance suite of storage.Store: what every store
// must do, concurrency and expiry included. A store runs it from its own test:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Harness { … })
//	}
package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Harness is one empty store under test. Each case gets its own and closes it.
type Harness struct {
	// Store is the store, not yet open.
	Store storage.Store
	// Advance moves the store's clock forward. Nil for a store whose clock a
	// test can't move: cases then use lifetimes of seconds and wait, and those
	// that need an exact moment are skipped.
	Advance func(time.Duration)
	// Reopen returns a store over the state of the last one, which has been
	// closed; it is not open.
	Reopen func(t *testing.T) storage.Store
	// Empty returns another store, empty and not open, with the same clock; nil
	// for none.
	Empty func(t *testing.T) storage.Store
}
