package redisstore

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestAssertionOnTwoNodes covers CLI-10: of a hundred calls on two gateways one
// uses the assertion, and Redis forgets it when it is over.
func TestAssertionOnTwoNodes(t *testing.T) {
	server := redistest.Start(t)
	unhurried := func(o *Options) { o.Timeout = 10 * time.Second }
	nodes := []*Store{openStore(t, server, unhurried), openStore(t, server, unhurried)}
	now, err := nodes[0].Now(t.Context())
	mustDo(t, err)
	r := storage.AssertionRequest{ID: storage.AssertionID{1}, Until: now.Add(time.Minute)}
	var first, used atomic.Int32
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			call := r
			call.Attempt = newAttempt()
			outcome, err := nodes[i%2].UseAssertion(t.Context(), call)
			switch {
			case err != nil:
				t.Error(err)
			case outcome == storage.AssertionFirst:
				first.Add(1)
			case outcome == storage.AssertionUsed:
				used.Add(1)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 || used.Load() != 99 {
		t.Errorf("%d first and %d used, want 1 and 99", first.Load(), used.Load())
	}
	if left := server.Do("PTTL", nodes[0].key("a:"+r.ID.String())); left == "-1" || left == "-2" {
		t.Errorf("the used assertion lives for %s", left)
	}
}
