package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

const (
	// commitWithin is how long a decision waits to become durable. Its caller is
	// told to come again long before its client gives up.
	commitWithin = 1500 * time.Millisecond
	// stalledAfter is how long a commit, or a look at the file, may take until
	// Beat says so: a busy disk takes its time now and then.
	stalledAfter = 3 * time.Second
	// proveEvery is how often something is written when nobody else writes: a
	// gateway without requests has to find out, too, that its disk takes none.
	proveEvery = 3 * time.Second
)

var (
	errStalled   = errors.New("the disk does not confirm what is written")
	errTruncated = fmt.Errorf("it became shorter while it was open: %w", errDamaged)
)

// watch looks at the file while it is open, for what no decision would notice:
// that it was removed or replaced, and that the disk takes no writes.
type watch struct {
	store  *Store
	file   *file
	begun  time.Time
	looked atomic.Int64          // nanoseconds since begun, when the last look was done
	lost   atomic.Pointer[error] // why what is written now would be lost
	proof  *decision             // the last one that was submitted
	proved time.Time             // when
	cancel chan struct{}
	done   chan struct{}
}

func newWatch(s *Store, f *file) *watch {
	w := &watch{store: s, file: f, begun: time.Now(), proved: time.Now(), cancel: make(chan struct{}), done: make(chan struct{})}
	go background.Safely(s.recovered, func() {
		defer close(w.done)
		background.Keep(context.Background(), s.recovered, w.loop)
	})()
	return w
}

func (w *watch) stop() {
	close(w.cancel)
	<-w.done
}

func (w *watch) loop(context.Context) {
	tick := time.NewTicker(w.store.watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.cancel:
			return
		case <-tick.C:
		}
		if err := protect(w.look); err != nil {
			w.file.damage.note(err)
		}
		w.looked.Store(int64(time.Since(w.begun)))
		w.prove()
	}
}

// look compares the file that is open with what its name says now.
func (w *watch) look() error {
	lost := w.whyLost()
	if was := w.lost.Load(); was != nil && errors.Is(*was, errTruncated) {
		return nil // what was cut off does not come back
	}
	if lost == nil {
		w.lost.Store(nil)
		return nil
	}
	lost = fmt.Errorf("the store %s: %w", w.store.path, lost)
	w.lost.Store(&lost)
	return nil
}

func (w *watch) whyLost() error {
	// Asked first: the file may grow while this goes on, and never shrinks.
	used, err := viewIn(w.store, w.file, func(t *txn) (int64, error) { return t.tx.Size(), nil })
	if err != nil {
		return err
	}
	info, err := os.Lstat(w.store.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return storage.ErrStoreRemoved
	case err != nil:
		return err
	}
	open, err := w.file.disk.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(info, open) {
		return storage.ErrStoreReplaced
	}
	if info.Size() < used {
		return errTruncated
	}
	return nil
}

// prove writes the time, unless the last proof is still under way.
func (w *watch) prove() {
	if w.proof != nil {
		select {
		case <-w.proof.done:
		default:
			return
		}
	}
	every := proveEvery
	if w.file.committer.failure() != nil {
		every = 0 // so that the end of the trouble is noticed
	}
	if time.Since(w.proved) < every || w.file.moved.Load() || w.lost.Load() != nil {
		return
	}
	w.proved = time.Now()
	w.proof = &decision{done: make(chan struct{}), run: func(t *txn) error {
		t.put(meta, metaClock, clockRecord{t.now}.encode())
		return nil
	}}
	w.file.committer.submit(w.proof)
}

// unfit returns why nothing should be decided now: it would be lost, or wait.
func (f *file) unfit() error {
	if lost := f.watch.lost.Load(); lost != nil {
		return *lost
	}
	if f.committer.takes() > commitWithin {
		return errStalled
	}
	return nil
}

// trouble returns why the store should get no requests.
func (f *file) trouble() error {
	if lost := f.watch.lost.Load(); lost != nil {
		return *lost
	}
	if takes := f.committer.takes(); takes > stalledAfter {
		return fmt.Errorf("%w since %s: check the disk of %s", errStalled, takes.Round(time.Second), f.db.Path())
	}
	if since := time.Since(f.watch.begun) - time.Duration(f.watch.looked.Load()); since > stalledAfter+f.watch.store.watchEvery {
		return fmt.Errorf("the disk of %s has not answered for %s", f.db.Path(), since.Round(time.Second))
	}
	if err := f.committer.failure(); err != nil {
		return fmt.Errorf("writing to %s: %w", f.db.Path(), err)
	}
	return f.damage.found()
}

// damageNote is what was found out about the bytes of a file.
type damageNote struct {
	err atomic.Pointer[error]
}

// note remembers an error that says that the file is damaged.
func (d *damageNote) note(err error) {
	if errors.Is(err, errDamaged) {
		d.err.Store(&err)
	}
}

func (d *damageNote) found() error {
	if err := d.err.Load(); err != nil {
		return *err
	}
	return nil
}
