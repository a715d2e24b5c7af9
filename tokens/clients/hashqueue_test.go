package clients

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const testHash = "$2a$10$"

// hashCrowd sends jobs to a queue in which each hash takes a second, and keeps
// the order in which they were computed.
type hashCrowd struct {
	t     *testing.T
	queue *HashQueue
	wg    sync.WaitGroup
	most  atomic.Int64
	now   atomic.Int64
	mu    sync.Mutex
	order []string // accounts
	busy  map[string]time.Duration
}

func newHashCrowd(t *testing.T, slots int) *hashCrowd {
	return &hashCrowd{t: t, queue: NewHashQueue(slots), busy: make(map[string]time.Duration)}
}

// send sends a job. The call returns when it waits or is computed.
func (c *hashCrowd) send(job HashJob) {
	if job.Hash == "" {
		job.Hash = testHash
	}
	if job.MaxWait == 0 {
		job.MaxWait = time.Hour
	}
	c.wg.Go(func() {
		err := c.queue.Do(c.t.Context(), job, func() bool {
			c.most.Store(max(c.most.Load(), c.now.Add(1)))
			time.Sleep(time.Second)
			c.now.Add(-1)
			return true
		})
		c.mu.Lock()
		defer c.mu.Unlock()
		if busy, ok := errors.AsType[*HashBusyError](err); ok {
			c.busy[job.Account] = busy.After
			return
		}
		if err != nil {
			c.t.Errorf("%s: %v", job.Account, err)
		}
		c.order = append(c.order, job.Account)
	})
	synctest.Wait()
}

// done waits for all and says who was served when, from 0.
func (c *hashCrowd) done() map[string]int {
	c.wg.Wait()
	places := make(map[string]int)
	for i, name := range c.order {
		if _, ok := places[name]; !ok {
			places[name] = i
		}
	}
	return places
}

// A4: an honest burst passes; no more run at once than there are slots, and
// whoever is idle may be used by one address alone.
func TestHashBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, begun := newHashCrowd(t, 2), time.Now()
		for i := range 200 {
			c.send(HashJob{Account: fmt.Sprint("user", i), Address: "office"})
		}
		c.done()
		if len(c.order) != 200 || len(c.busy) != 0 {
			t.Errorf("%d computed, %d refused, want 200 and 0", len(c.order), len(c.busy))
		}
		if took := time.Since(begun); c.most.Load() != 2 || took != 100*time.Second {
			t.Errorf("%d at once, %v in all; want 2 and what the hashes cost, 1m40s", c.most.Load(), took)
		}
		if stats := c.queue.Stats(); stats.Computed != 200 || stats.Took != 200*time.Second || stats.Waiting != 0 {
			t.Errorf("stats: %+v", stats)
		}
	})
}

// A3: one account from many connections, one address with many accounts and one
// class of jobs get their share, and nobody else waits behind them.
func TestHashFairness(t *testing.T) {
	for _, tc := range []struct {
		name string
		job  func(i int) HashJob
	}{
		{"one account and address", func(int) HashJob { return HashJob{Account: "mallory", Address: "one"} }},
		{"one account, many addresses", func(i int) HashJob { return HashJob{Account: "mallory", Address: fmt.Sprint(i)} }},
		{"one address, many accounts", func(i int) HashJob { return HashJob{Account: fmt.Sprint("name", i), Address: "one"} }},
		{"another class", func(i int) HashJob {
			return HashJob{Class: HashOfClient, Account: fmt.Sprint("client", i), Address: fmt.Sprint(i)}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newHashCrowd(t, 1)
				for i := range 40 {
					c.send(tc.job(i))
				}
				for i := range 5 {
					c.send(HashJob{Account: fmt.Sprint("honest", i), Address: fmt.Sprint("home", i)})
				}
				time.Sleep(3 * time.Second)
				c.send(HashJob{Account: "later", Address: "elsewhere"})
				places := c.done()
				for i := range 5 {
					if place := places[fmt.Sprint("honest", i)]; place > 11 {
						t.Errorf("honest%d was served as number %d", i, place)
					}
				}
				if places["later"] > 15 || len(c.order) != 46 {
					t.Errorf("the later one was served as number %d of %d", places["later"], len(c.order))
				}
			})
		})
	}
	t.Run("nobody starves", func(t *testing.T) { // a second job, while ever new people come
		synctest.Test(t, func(t *testing.T) {
			c := newHashCrowd(t, 1)
			for range 3 {
				c.send(HashJob{Account: "patient", Address: "one"})
			}
			for i := range 60 {
				c.send(HashJob{Account: fmt.Sprint("fresh", i), Address: fmt.Sprint(i)})
				c.send(HashJob{Account: fmt.Sprint("also", i), Address: fmt.Sprint("also", i)})
				time.Sleep(time.Second)
			}
			c.done()
			last := 0
			for i, name := range c.order {
				if name == "patient" {
					last = i
				}
			}
			if last > 100 {
				t.Errorf("the last of three jobs was number %d of %d", last, len(c.order))
			}
		})
	})
}

// The wait is bounded: who would wait too long is told so at once, and when to
// come again; who has waited too long, then; who hangs up leaves.
func TestHashWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHashCrowd(t, 1)
		c.send(HashJob{Account: "first"})
		c.wg.Wait() // the cost is known now
		for i := range 30 {
			c.send(HashJob{Account: fmt.Sprint("user", i), MaxWait: 10 * time.Second})
		}
		if n := len(c.busy); n != 19 { // one runs, ten wait
			t.Errorf("%d were refused at once, want 19", n)
		}
		if after := c.busy["user29"]; after != time.Second {
			t.Errorf("told to come back after %v: there is room in a second", after)
		}
		c.done()
		if len(c.order) != 12 {
			t.Errorf("%d were computed", len(c.order))
		}
	})
	synctest.Test(t, func(t *testing.T) { // the estimate was wrong, or others overtook
		c := newHashCrowd(t, 1)
		c.queue.cost = time.Millisecond
		for i := range 5 {
			c.send(HashJob{Account: fmt.Sprint("user", i), MaxWait: 1700 * time.Millisecond})
		}
		c.done()
		if len(c.order) != 3 || len(c.busy) != 2 {
			t.Errorf("computed %v, refused %v", c.order, c.busy)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := newHashCrowd(t, 1)
		c.send(HashJob{Account: "first"})
		ctx, hangUp := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			gone <- c.queue.Do(ctx, HashJob{Account: "gone", Hash: testHash, MaxWait: time.Hour}, func() bool { t.Error("computed for nobody"); return true })
		}()
		synctest.Wait()
		hangUp()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if n := c.queue.Stats().Waiting; n != 0 {
			t.Errorf("%d wait", n)
		}
		c.done()
	})
}

// The number of those who wait is bounded, and so is what is remembered of
// accounts and addresses. Newcomers take the place of those who have many there.
func TestHashQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHashCrowd(t, 1)
		c.send(HashJob{Account: "first", Address: "flood"})
		for i := range hashWaiting + 100 {
			c.send(HashJob{Account: fmt.Sprint("name", i), Address: "flood"})
		}
		if n := c.queue.Stats().Waiting; n != hashWaiting {
			t.Errorf("%d wait, want %d", n, hashWaiting)
		}
		c.send(HashJob{Account: "honest", Address: "home"})
		if _, busy := c.busy["honest"]; busy || c.queue.Stats().Waiting != hashWaiting {
			t.Errorf("an honest newcomer is refused, or %d wait", c.queue.Stats().Waiting)
		}
		if place := c.done()["honest"]; place > 3 {
			t.Errorf("served as number %d", place)
		}
	})
	var class hashClass
	for i := range uint64(5 * maxHashKeys) {
		w := &hashWaiter{keys: [2]uint64{2*i + 1, 2*i + 2}, ready: make(chan struct{})}
		w.start = class.startOf(w)
		class.push(w)
		if i%2 == 0 {
			class.pop()
		}
		if len(class.waiting) > hashWaiting {
			class.waiting = nil
		}
	}
	if len(class.through) > maxHashKeys+2 {
		t.Errorf("%d accounts and addresses are remembered", len(class.through))
	}
}

// A hash that uses several processors or much memory counts as such, and is
// computed all the same.
func TestHashMemoryAndThreads(t *testing.T) {
	for _, tc := range []struct {
		hash string
		most int64
	}{
		{"$2a$10$x", 4},
		{"$argon2id$v=19$m=47104,t=1,p=1$x$y", 4},
		{"$argon2id$v=19$m=47104,t=1,p=2$x$y", 2},
		{"$argon2id$v=19$m=47104,t=1,p=99$x$y", 1},
		{"$argon2id$v=19$m=262144,t=1,p=1$x$y", 2},
		{"$argon2id$v=19$m=1048576,t=1,p=1$x$y", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newHashCrowd(t, 4)
			for i := range 8 {
				c.send(HashJob{Account: fmt.Sprint(i), Hash: tc.hash})
			}
			if c.done(); len(c.order) != 8 || c.most.Load() != tc.most {
				t.Errorf("%s: %d computed, %d at once, want %d", tc.hash, len(c.order), c.most.Load(), tc.most)
			}
		})
	}
}

// A panic in a comparison gives the turn back.
func TestHashPanic(t *testing.T) {
	q := NewHashQueue(1)
	func() {
		defer func() { _ = recover() }()
		_ = q.Do(t.Context(), HashJob{MaxWait: time.Second}, func() bool { panic("broken hash") })
	}()
	if err := q.Do(t.Context(), HashJob{MaxWait: time.Second}, func() bool { return true }); err != nil {
		t.Error(err)
	}
	if n, processors := NewHashQueue(0).slots, runtime.GOMAXPROCS(0); n < 1 || n >= processors && processors > 1 {
		t.Errorf("%d slots on %d processors", n, processors)
	}
}
