// Package boltstore keeps Gatehouse's state in one bbolt file, for a gateway
// that runs as one process.
//
// Each method of storage.Store that changes something is one decision: a
// function that reads, decides and writes within one write transaction and is
// answered when the transaction is on the disk. Decisions that wait at the
// same time share a transaction (committer). Methods that only read don't wait
// for writers.
package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Options configure a Store.
type Options struct {
	// Path of the database file.
	Path string
	// Clock is the wall clock; nil for the system's.
	Clock func() time.Time
	// Monotonic returns what has passed since some start, however Clock is set
	// meanwhile. nil for the system's; beside a Clock it means that the Clock is right.
	Monotonic func() time.Duration
	// LockTimeout is how long Open waits for another process to release the
	// file, since restarts overlap; 0 for 10 seconds.
	LockTimeout time.Duration
	// OnCall, if not nil, hears of every call when it ends: its name, which is
	// of a closed set, how long it took and the store's fault, if any. The
	// background removal of expired records calls itself "sweep". The context is the call's.
	OnCall func(ctx context.Context, op string, d time.Duration, err error)
}

// Store is a storage.Store in one file. The methods are safe for concurrent use.
type Store struct {
	path        string
	lockTimeout time.Duration
	sweepEvery  time.Duration
	watchEvery  time.Duration
	onCall      func(ctx context.Context, op string, d time.Duration, err error)
	clock       clock
	feed        feed
	nodes       nodes

	lifecycle sync.Mutex   // held by Open and Close
	mu        sync.RWMutex // held for reading by every call under way
	file      *file        // nil before Open and after Close
	closed    bool
}

var _ storage.Store = (*Store)(nil)

// file is an open database with its goroutines.
type file struct {
	db        *bolt.DB
	disk      *os.File
	committer *committer
	sweeper   *sweeper
	watch     *watch
	damage    damageNote
	moved     atomic.Bool // it was exported and decides nothing any more
	backingUp atomic.Bool // a Backup is being copied
}

var (
	errNotOpen = errors.New("calling the store: it has not been opened")
	errClosed  = errors.New("calling the store: it is closed")
)

// New returns a store that is not open. It touches neither disk nor network.
func New(o Options) *Store {
	s := &Store{
		path:        o.Path,
		lockTimeout: o.LockTimeout,
		sweepEvery:  3 * time.Second,
		watchEvery:  time.Second,
		onCall:      o.OnCall,
		clock:       clock{wall: o.Clock, mono: o.Monotonic, asleep: func() time.Duration { return 0 }},
	}
	if s.lockTimeout == 0 {
		s.lockTimeout = 10 * time.Second
	}
	if o.Clock == nil {
		s.clock = systemClock()
	}
	if s.onCall == nil {
		s.onCall = func(context.Context, string, time.Duration, error) {}
	}
	return s
}

// Close implements storage.Store. A store that was closed can't be opened again.
func (s *Store) Close() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.mu.Lock() // waits for the calls under way
	f := s.file
	s.file, s.closed = nil, true
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	return f.close()
}

// close ends the goroutines, of which the others need the committer, which
// first commits what callers that are gone have left behind.
func (f *file) close() error {
	if broken := f.committer.broken.Load(); broken != nil {
		f.sweeper.cancel()
		close(f.watch.cancel)
		unlock(f.disk) // and nothing is waited for that bbolt may hold up
		return fmt.Errorf("closing the store: %w", *broken)
	}
	f.sweeper.stop()
	f.watch.stop()
	f.committer.stop()
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// call runs one method.
func (s *Store) call(ctx context.Context, op string, run func(*file) error) error {
	start := time.Now()
	err := s.run(ctx, run)
	s.onCall(ctx, op, time.Since(start), err)
	return err
}

func (s *Store) run(ctx context.Context, run func(*file) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		return errClosed
	case s.file == nil:
		return errNotOpen
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("calling the store: %w", err)
	}
	return s.file.tell(s.path, run(s.file))
}

// tell notes that the file is damaged and says which one.
func (f *file) tell(path string, err error) error {
	if !errors.Is(err, errDamaged) {
		return err
	}
	err = fmt.Errorf("the store %s: %w", path, err)
	f.damage.note(err)
	return err
}

// decide runs a decision and returns its result once it is durable. A caller
// whose context ends stops waiting. A decision that has not begun by then is
// dropped: the caller has been told to come again, and must find what it left.
// One that has begun may still be committed, and the same Attempt will get its
// answer.
func decide[T any](ctx context.Context, s *Store, op string, run func(*txn) (T, error)) (T, error) {
	var result T
	err := s.call(ctx, op, func(f *file) error {
		r, err := decideIn(ctx, f, run)
		result = r
		return err
	})
	return result, err
}

// decideIn runs a decision, unless the store was exported: then there is
// nothing to decide here any more. While the disk stalls, or what is written
// would be lost, it fails soon instead of keeping a client waiting.
func decideIn[T any](ctx context.Context, f *file, run func(*txn) (T, error)) (T, error) {
	if err := f.unfit(); err != nil {
		var none T
		return none, storage.EndedNothing(err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, commitWithin, errStalled)
	defer cancel()
	return commitIn(ctx, f, func(t *txn) (T, error) {
		if f.moved.Load() {
			var none T
			return none, storage.ErrMoved
		}
		return run(t)
	})
}

// commitIn runs a write transaction.
func commitIn[T any](ctx context.Context, f *file, run func(*txn) (T, error)) (T, error) {
	var result, none T
	d := &decision{done: make(chan struct{})}
	d.run = func(t *txn) (err error) {
		result, err = run(t)
		return err
	}
	f.committer.submit(d)
	select {
	case <-d.done:
	case <-ctx.Done():
		// result still belongs to the committer.
		err := fmt.Errorf("waiting for the store to commit: %w", context.Cause(ctx))
		if d.drop() {
			err = storage.EndedNothing(err)
		}
		return none, err
	}
	if d.err != nil {
		return none, d.err
	}
	return result, nil
}

// view runs a reading method. What it returns must be copied from the file.
func view[T any](ctx context.Context, s *Store, op string, run func(*txn) (T, error)) (T, error) {
	var result T
	err := s.call(ctx, op, func(f *file) error {
		r, err := viewIn(s, f, run)
		result = r
		return err
	})
	return result, err
}

func viewIn[T any](s *Store, f *file, run func(*txn) (T, error)) (result T, err error) {
	if broken := f.committer.broken.Load(); broken != nil {
		return result, *broken
	}
	var inner error
	err = protect(func() error {
		return f.db.View(func(tx *bolt.Tx) error {
			inner = protect(func() (err error) {
				result, err = run(&txn{tx: tx, now: s.clock.now()})
				return err
			})
			return inner
		})
	})
	if inner == nil {
		f.committer.giveUp(err)
	}
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}
