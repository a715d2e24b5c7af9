package redisstore

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// long is set for the runs that take minutes.
var long = os.Getenv("GATEHOUSE_TEST_LONG") != ""

// atTime returns the scripts as they are when the clock stands still: the time
// is Redis's, so a test stops it in the text of the scripts.
func atTime(now time.Time) *scripts {
	return loadScripts(func(text string) string {
		if !strings.Contains(text, "'TIME'") {
			return text
		}
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

// move exchanges the scripts, also of calls under way.
func (s *Store) move(to *scripts) {
	s.loaded.Store(to)
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

var openRequest = storage.OpenRequest{Secrets: [][16]byte{{1}}, TokenLifetime: 10 * time.Minute}
