package boltstore

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// decision is one write transaction as its caller sees it.
type decision struct {
	run  func(*txn) error // may run more than once; the last run counts
	err  error
	done chan struct{} // closed when the outcome is durable, or err set

	fate atomic.Int32 // of the constants below
}

const (
	waits   int32 = iota // in the queue
	begun                // it runs, or has run
	dropped              // its caller had left before
)

// begin reports whether a decision is to run: unless its caller has left. Once
// it has begun it is run to its end.
func (d *decision) begin() bool { return d.fate.CompareAndSwap(waits, begun) || d.fate.Load() == begun }

// drop is called when the caller leaves, and reports whether the decision will
// never run.
func (d *decision) drop() bool { return d.fate.CompareAndSwap(waits, dropped) }

// committer runs the decisions of all goroutines, in the order of their
// arrival, and makes all that wait durable with one fsync (group commit).
//
// It does not use bbolt's own Batch. That waits up to MaxBatchDelay (10 ms)
// for company even when there is none, thirty times what the commit takes, and
// an error in one function makes all the others run again. Here nobody waits:
// while one commit is at the disk the next callers gather, and they are the
// next commit.
//
// Decisions of one commit can't harm each other. Each computes first and
// writes last: it reads through its txn, which keeps its writes aside, and
// they go into the shared transaction only when it has returned without error
// or panic. Should that very step fail, the whole transaction is dropped and
// each decision runs again alone.
type committer struct {
	db        *bolt.DB
	clock     *clock
	alongside func(*txn) // adds its writes to a transaction that has others

	began  atomic.Int64 // when the commit under way began, in nanoseconds since epoch; 0 for none
	epoch  time.Time
	failed atomic.Pointer[error] // of the last commit that did not become durable
	broken atomic.Pointer[error] // see giveUp

	mu      sync.Mutex
	arrived sync.Cond
	waiting []*decision
	closing bool
	stopped chan struct{}
}

func newCommitter(db *bolt.DB, c *clock, alongside func(*txn), recovered background.Report) *committer {
	m := &committer{db: db, clock: c, alongside: alongside, epoch: time.Now(), stopped: make(chan struct{})}
	m.arrived.L = &m.mu
	go background.Safely(recovered, func() {
		defer close(m.stopped)
		background.Keep(context.Background(), recovered, m.loop)
	})()
	return m
}

// submit queues a decision. It must not be called after stop.
func (m *committer) submit(d *decision) {
	m.mu.Lock()
	m.waiting = append(m.waiting, d)
	m.mu.Unlock()
	m.arrived.Signal()
}

// stop ends the committer once everything that waits is committed.
func (m *committer) stop() {
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	m.arrived.Signal()
	<-m.stopped
}

func (m *committer) loop(context.Context) {
	// A page that the disk can't deliver is a fault in the mapped file. It must
	// be an error of this decision and not the end of the process.
	debug.SetPanicOnFault(true)
	var batch []*decision
	for {
		m.mu.Lock()
		for len(m.waiting) == 0 && !m.closing {
			m.arrived.Wait()
		}
		batch, m.waiting = m.waiting, batch[:0]
		m.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		m.began.Store(max(1, int64(time.Since(m.epoch))))
		m.commit(batch)
		m.began.Store(0)
		clear(batch)
	}
}

// takes returns how long the commit under way has taken until now.
func (m *committer) takes() time.Duration {
	if began := m.began.Load(); began != 0 {
		return time.Since(m.epoch) - time.Duration(began)
	}
	return 0
}

// failure returns why the last commit did not become durable, nil if it did.
func (m *committer) failure() error {
	if err := m.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// giveUp notes that bbolt has met a broken page outside of what a call reads or
// writes. It may have left its locks taken: the next call might wait forever.
func (m *committer) giveUp(err error) {
	if errors.As(err, new(*brokenPageError)) {
		m.broken.CompareAndSwap(nil, &err)
	}
}

// commit makes a batch durable and answers it.
func (m *committer) commit(batch []*decision) {
	if alone := m.together(batch); alone {
		for _, d := range batch {
			m.together([]*decision{d})
			close(d.done)
		}
		return
	}
	for _, d := range batch {
		close(d.done)
	}
}

// errUnchanged drops a transaction in which no decision has written anything:
// all that they read is durable already.
var errUnchanged = errors.New("nothing to write")

// together runs a batch in one transaction. It reports whether the batch must
// run again one by one; else each decision has its outcome.
func (m *committer) together(batch []*decision) (alone bool) {
	ran := false
	if broken := m.broken.Load(); broken != nil {
		for _, d := range batch {
			d.err = storage.EndedNothing(*broken)
		}
		return false
	}
	err := protect(func() error {
		return m.db.Update(func(tx *bolt.Tx) error {
			changed := false
			t := txn{tx: tx}
			for _, d := range batch {
				if !d.begin() {
					continue
				}
				t.now = m.clock.now()
				t.writes = t.writes[:0]
				if d.err = protect(func() error { return d.run(&t) }); d.err != nil {
					continue
				}
				if err := t.apply(); err != nil {
					return err
				}
				changed = changed || len(t.writes) > 0
			}
			ran = true
			if !changed {
				return errUnchanged
			}
			t.writes = t.writes[:0]
			m.alongside(&t)
			return t.apply()
		})
	})
	if err == nil {
		m.failed.Store(nil)
	}
	if err == nil || errors.Is(err, errUnchanged) {
		return false
	}
	if ran {
		m.failed.Store(&err)
	}
	m.giveUp(err)
	var panicked *background.PanicError
	var broken *brokenPageError
	if (!ran || errors.As(err, &panicked) || errors.As(err, &broken)) && len(batch) > 1 {
		return true
	}
	for _, d := range batch {
		d.err = fmt.Errorf("committing to the store: %w", err)
	}
	return false
}
