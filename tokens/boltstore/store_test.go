package boltstore

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/issuertest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/storetest"
)

// long is set for the runs that take minutes.
var long = os.Getenv("GATEHOUSE_TEST_LONG") != ""

// testClock is a clock that tests move.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func newTestClock() *testClock {
	return &testClock{now: time.Date(2030, 1, 2, 3, 4, 5, 678_901_234, time.UTC)}
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestConformance(t *testing.T) { storetest.Run(t, moved) }

// TestTraps runs a whole Issuer over the store.
func TestTraps(t *testing.T) { issuertest.RunTraps(t, moved) }

// moved is a new store with a clock that is moved.
func moved(t *testing.T) storetest.Harness {
	clock := newTestClock()
	path := filepath.Join(inMemory(t), "gatehouse.db")
	open := func(*testing.T) storage.Store {
		s := New(Options{Path: path, Clock: clock.Now, OnCall: func(_ context.Context, op string, _ time.Duration, err error) {
			if op == "sweep" && err != nil {
				t.Errorf("sweeping: %v", err)
			}
		}})
		s.sweepEvery = time.Millisecond // expired records vanish at any time
		return s
	}
	empty := func(t *testing.T) storage.Store {
		path = filepath.Join(inMemory(t), "gatehouse.db")
		return open(t)
	}
	return storetest.Harness{Store: open(t), Advance: clock.Advance, Reopen: open, Empty: empty}
}

// inMemory returns a directory for files of a test that is not about the disk: on one
// that is in memory, where there is one, since a commit waits for nothing there.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "gatehouse") //nolint:usetesting // t.TempDir is on the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestConformanceRealTime runs the suite as it runs for a store whose clock
// can't be moved.
func TestConformanceRealTime(t *testing.T) {
	if !long {
		t.Skip("takes a minute: set GATEHOUSE_TEST_LONG=1 to run it")
	}
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		open := func(*testing.T) storage.Store { return New(Options{Path: path}) }
		return storetest.Harness{Store: open(t), Reopen: open}
	})
}

// openStore returns an open store in a new directory.
func openStore(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Path: filepath.Join(t.TempDir(), "gatehouse.db")}
	for _, c := range change {
		c(&o)
	}
	s := New(o)
	s.watchEvery = time.Hour // nothing is written but by the test
	mustOpen(t, s)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func mustOpen(t testing.TB, s *Store) {
	t.Helper()
	if _, err := s.Open(context.Background(), openRequest); err != nil {
		t.Fatalf("Open: %v", err)
	}
}

var openRequest = storage.OpenRequest{Secrets: [][16]byte{{1}}, TokenLifetime: 10 * time.Minute}
