package redisstore

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// long is set for the runs that take minutes.
var long = os.Getenv("GATEHOUSE_TEST_LONG") != ""

// atTime returns the scripts as they are when the clock stands still: the time
// is Redis's, so a test stops it in the text of the scripts.
func atTime(now time.Time) *scripts {
	return loadScripts(func(text string) string {
		stopped := strings.Replace(text, "local SHIFT = 0 ", fmt.Sprintf("local SHIFT = %d - now ", now.UnixMilli()), 1)
		if stopped == text {
			panic("the scripts have no clock that can be moved")
		}
		return stopped
	})
}

var prefixes atomic.Int64

// prefix is a key prefix of its own, so that tests can share a server.
func prefix() string { return fmt.Sprintf("t%d:", prefixes.Add(1)) }

func TestConformance(t *testing.T) {
	server := redistest.Start(t)
	conform(t, func(keys string) Options { return Options{Addresses: []string{server.Addr}, KeyPrefix: keys} })
}

// conform runs the suite with a clock that is moved.
func conform(t *testing.T, options func(prefix string) Options) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		o := options(prefix())
		o.Timeout = 10 * time.Second // a hundred at once, on a machine that has other work
		now := time.Date(2030, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
		var newest *Store
		open := func(*testing.T) tokens.Store {
			newest = New(o)
			newest.scripts = atTime(now)
			return newest
		}
		advance := func(d time.Duration) {
			now = now.Add((d + time.Millisecond - 1).Truncate(time.Millisecond))
			newest.move(atTime(now))
		}
		return storetest.Harness{Store: open(t), Advance: advance, Reopen: open}
	})
}

// move exchanges the scripts between calls, which the watch may be making.
func (s *Store) move(to *scripts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts = to
}

// TestConformanceRealTime runs the suite as the clock runs, so that keys expire too.
func TestConformanceRealTime(t *testing.T) {
	if !long {
		t.Skip("takes a minute: set GATEHOUSE_TEST_LONG=1 to run it")
	}
	server := redistest.Start(t)
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		o := Options{Addresses: []string{server.Addr}, KeyPrefix: prefix(), Timeout: 10 * time.Second}
		open := func(*testing.T) tokens.Store { return New(o) }
		return storetest.Harness{Store: open(t), Reopen: open}
	})
}

// openStore returns an open store over a server.
func openStore(t testing.TB, server *redistest.Server, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Addresses: []string{server.Addr}}
	for _, c := range change {
		c(&o)
	}
	s := New(o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if _, err := s.Open(context.Background(), openRequest); err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

var openRequest = tokens.OpenRequest{Secrets: [][16]byte{{1}}, TokenLifetime: 10 * time.Minute}
