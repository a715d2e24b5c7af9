package redisstore

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/issuertest"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

func TestConformance(t *testing.T) {
	server := redistest.Start(t)
	conform(t, func(keys string) Options { return Options{Addresses: []string{server.Addr}, KeyPrefix: keys} })
}

// TestTraps runs a whole Issuer over the store.
func TestTraps(t *testing.T) {
	server := redistest.Start(t)
	issuertest.RunTraps(t, moved(func(keys string) Options { return Options{Addresses: []string{server.Addr}, KeyPrefix: keys} }))
}

// conform runs the suite with a clock that is moved.
func conform(t *testing.T, options func(prefix string) Options) { storetest.Run(t, moved(options)) }

// moved is a new store with a clock that is moved.
func moved(options func(prefix string) Options) func(t *testing.T) storetest.Harness {
	return func(t *testing.T) storetest.Harness {
		o := options(prefix())
		o.Timeout = 10 * time.Second // a hundred at once, on a machine that has other work
		now := time.Date(2030, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
		var newest *Store
		open := func(*testing.T) storage.Store {
			newest = New(o)
			newest.loaded.Store(atTime(now))
			newest.stopAfter = atOnce // there is no other node
			return newest
		}
		empty := func(t *testing.T) storage.Store {
			o.KeyPrefix = prefix()
			return open(t)
		}
		advance := func(d time.Duration) {
			now = now.Add((d + time.Millisecond - 1).Truncate(time.Millisecond))
			newest.move(atTime(now))
		}
		return storetest.Harness{Store: open(t), Advance: advance, Reopen: open, Empty: empty}
	}
}

// TestConformanceRealTime runs the suite as the clock runs, so that keys expire too.
func TestConformanceRealTime(t *testing.T) {
	if !long {
		t.Skip("takes a minute: set GATEHOUSE_TEST_LONG=1 to run it")
	}
	server := redistest.Start(t)
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		o := Options{Addresses: []string{server.Addr}, KeyPrefix: prefix(), Timeout: 10 * time.Second}
		open := func(*testing.T) storage.Store { return New(o) }
		return storetest.Harness{Store: open(t), Reopen: open}
	})
}
