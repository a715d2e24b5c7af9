package boltstore

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
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

	mu      sync.Mutex
	arrived sync.Cond
	waiting []*decision
	closing bool
	stopped chan struct{}
}

func newCommitter(db *bolt.DB, c *clock, alongside func(*txn)) *committer {
	m := &committer{db: db, clock: c, alongside: alongside, stopped: make(chan struct{})}
	m.arrived.L = &m.mu
	go m.loop()
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

func (m *committer) loop() {
	defer close(m.stopped)
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
		m.commit(batch)
		clear(batch)
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
	if err == nil || errors.Is(err, errUnchanged) {
		return false
	}
	var panicked *panicError
	if (!ran || errors.As(err, &panicked)) && len(batch) > 1 {
		return true
	}
	for _, d := range batch {
		d.err = fmt.Errorf("committing to the store: %w", err)
	}
	return false
}

// panicError is a panic that was turned into an error. The value may hold
// anything, so only its type is told unless it is a runtime error.
type panicError struct{ value any }

func (e *panicError) Error() string {
	if err, ok := e.value.(error); ok {
		return "recovering from a panic: " + err.Error()
	}
	return fmt.Sprintf("recovering from a panic: %T", e.value)
}

// protect runs f and returns its panic as an error, and so it does where a damaged
// file makes bbolt read behind the end of it: that would end the whole process.
func protect(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v}
		}
	}()
	return f()
}
