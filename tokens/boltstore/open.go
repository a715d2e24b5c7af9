package boltstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Open implements storage.Store. It makes the directory (0700) and the file
// (0600) where they are missing, and waits for a process that still holds the file.
func (s *Store) Open(ctx context.Context, r storage.OpenRequest) (storage.OpenResult, error) {
	start := time.Now()
	result, err := s.open(ctx, r)
	s.onCall(ctx, "open", time.Since(start), err)
	return result, err
}

func (s *Store) open(ctx context.Context, r storage.OpenRequest) (storage.OpenResult, error) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	r.Secrets, r.Issuers = slices.Clone(r.Secrets), slices.Clone(r.Issuers) // the caller may leave before the commit
	apply := func(t *txn) (storage.OpenResult, error) { return s.applyOpening(t, r) }
	if s.closed {
		return storage.OpenResult{}, errClosed
	}
	if s.file != nil {
		return commitIn(ctx, s.file, apply)
	}
	db, disk, err := s.openFile(ctx, r)
	if err != nil {
		return storage.OpenResult{}, err
	}
	clockErr := s.beginClock(db)
	f := &file{db: db, disk: disk, committer: newCommitter(db, &s.clock, s.nodes.alongside, s.recovered)}
	f.watch = newWatch(s, f)
	f.sweeper = newSweeper(s, f)
	result, err := commitIn(ctx, f, apply)
	if err == nil {
		_, err = viewIn(s, f, func(t *txn) (struct{}, error) { return struct{}{}, s.nodes.load(t) })
	}
	if err = cmp.Or(clockErr, err); err != nil {
		return storage.OpenResult{}, errors.Join(f.tell(s.path, err), f.close())
	}
	s.mu.Lock()
	s.file = f
	s.mu.Unlock()
	return result, nil
}

// beginClock lets the store's time go on from when the file was last open.
func (s *Store) beginClock(db *bolt.DB) error {
	var last clockRecord
	err := protect(func() error {
		return db.View(func(tx *bolt.Tx) error {
			_, err := (&txn{tx: tx}).read(meta, metaClock, &last)
			return err
		})
	})
	s.clock.begin(last.last)
	return err
}

// openFile opens the database and makes its buckets. The file is bbolt's.
func (s *Store) openFile(ctx context.Context, r storage.OpenRequest) (*bolt.DB, *os.File, error) {
	dir := filepath.Dir(s.path)
	was, err := os.Lstat(s.path)
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case isNew && r.Transfer:
		return nil, nil, fmt.Errorf("opening the store %s: %w", s.path, storage.ErrNoStore)
	case err == nil && was.Size() == 0 && r.Expected:
		return nil, nil, fmt.Errorf("opening the store %s: %w", s.path, errEmpty)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the store's directory: %w", err)
	}
	db, disk, err := s.lockFile(ctx)
	if err != nil {
		return nil, nil, err
	}
	err = protect(func() error { return db.Update(func(tx *bolt.Tx) error { return makeBuckets(tx, s.path) }) })
	if err == nil && isNew {
		err = syncDir(dir)
	}
	if err != nil {
		err = fmt.Errorf("preparing the store %s: %w", s.path, err)
		if errors.As(err, new(*brokenPageError)) {
			unlock(disk) // bbolt may have left its own locks taken, for which Close would wait
			return nil, nil, err
		}
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, disk, nil
}

var errEmpty = errors.New("the file is empty, but the secret beside it is older: the data was lost; " +
	"restore a backup of both files, or remove both to start over (everybody signs in again)")

// makeBuckets makes the buckets of a new file, and demands them of any other.
func makeBuckets(tx *bolt.Tx, path string) error {
	if info, err := os.Stat(path); err != nil || info.Size() < tx.Size() {
		return errors.Join(err, fmt.Errorf("it ends before its last page: %w", errDamaged))
	}
	const firstWrite = 2 // bbolt itself has made 0 and 1
	for _, name := range bucketNames {
		if tx.Bucket(name) != nil {
			continue
		}
		if tx.ID() > firstWrite {
			return fmt.Errorf("it has no %s: %w", name, errDamaged)
		}
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return nil
}

// lockPoll is how often Open looks whether the file is free and whether its
// context has ended. It must be longer than the 50 ms within which bbolt gives
// up without having tried.
const lockPoll = 60 * time.Millisecond

// mapAhead is how much address space is mapped for the file to grow into; it
// takes no memory. A file that outgrows what is mapped is mapped again, and for
// that bbolt stops all writers until the last reader is done: a Backup is a
// long one. On Windows the file itself would become as large.
var mapAhead = func() int {
	if runtime.GOOS == "windows" || strconv.IntSize < 64 {
		return 0
	}
	return 1 << 30
}()

// growBy is how much longer the file becomes when it is full.
const growBy = 1 << 20

// lockFile opens the file and takes its lock.
func (s *Store) lockFile(ctx context.Context) (*bolt.DB, *os.File, error) {
	var f *os.File
	options := &bolt.Options{
		Timeout: lockPoll,
		// The list of free pages is written with every commit. To find it
		// again at Open, bbolt walks the file in a goroutine of its own, where
		// a damaged page would end the whole process.
		NoFreelistSync: false,
		FreelistType:   bolt.FreelistMapType,
		NoStatistics:   true,
		OpenFile: func(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
			f, err = openPrivate(path, flag, mode)
			return f, err
		},
		InitialMmapSize: mapAhead,
	}
	for deadline := time.Now().Add(s.lockTimeout); ; {
		var db *bolt.DB
		err := protect(func() (err error) {
			db, err = bolt.Open(s.path, 0o600, options)
			return err
		})
		if errors.As(err, new(*brokenPageError)) {
			unlock(f) // which bbolt has not come to
			_ = f.Close()
		}
		switch {
		case err == nil:
			db.AllocSize = growBy
			return db, f, nil
		case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
			return nil, nil, fmt.Errorf("opening the store %s: %w (%w)", s.path, errDamaged, err)
		case !errors.Is(err, bolterrors.ErrTimeout):
			return nil, nil, fmt.Errorf("opening the store %s: %w", s.path, err)
		case ctx.Err() != nil:
			return nil, nil, fmt.Errorf("waiting for the lock of the store %s: %w", s.path, ctx.Err())
		case !time.Now().Before(deadline):
			return nil, nil, lockedError(s.path, s.lockTimeout)
		}
	}
}

// lockedError says who holds the file, as far as the system tells.
func lockedError(path string, waited time.Duration) error {
	holder := "another process"
	switch pid := lockHolder(path); pid {
	case 0:
	case os.Getpid():
		holder = fmt.Sprintf("this process (pid %d) itself", pid)
	default:
		holder = fmt.Sprintf("the process with pid %d", pid)
	}
	return fmt.Errorf("opening the store %s: %s has held its lock for %s: stop it, or give each gateway its own file", path, holder, waited)
}

// openPrivate opens a file that nobody else may read, and no symbolic link: a
// link could be exchanged under the lock, and the lock holder and the operator
// would mean different files.
func openPrivate(path string, flag int, mode os.FileMode) (*os.File, error) {
	if before, err := os.Lstat(path); err == nil {
		if err := checkPrivate(path, before); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil {
		err = checkPrivate(path, opened)
	}
	if err == nil {
		// What was opened must be what the name says, or it was exchanged in between.
		var named os.FileInfo
		if named, err = os.Lstat(path); err == nil && !os.SameFile(named, opened) {
			err = errors.New("the file was replaced while it was being opened")
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func checkPrivate(path string, info os.FileInfo) error {
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		return errors.New("it is a symbolic link: name the file itself")
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("other users can read it (mode %04o): chmod 600 %s", info.Mode().Perm(), path)
	}
	return nil
}

// syncDir makes the name of a new file durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories can't be synced there, and need not be
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// applyOpening compares the secrets and the issuers, and remembers what the store
// is opened with. The store belongs to the gateways of its last opening: one that
// has none of their secrets, or none of their issuers, is a stranger. So a secret
// changes in three steps, (old new), (new old), (new), and an old one does not stay a
// key forever.
func (s *Store) applyOpening(t *txn, r storage.OpenRequest) (storage.OpenResult, error) {
	var o openingRecord
	found, err := t.read(meta, metaOpening, &o)
	switch {
	case err != nil:
		return storage.OpenResult{}, err
	case t.has(meta, metaImporting):
		return storage.OpenResult{}, storage.ErrUnfinishedImport
	case r.Transfer && !found:
		return storage.OpenResult{}, storage.ErrNoStore
	case !r.Transfer && t.has(meta, metaMoved):
		return storage.OpenResult{}, storage.ErrMoved
	}
	if !found && !t.empty() {
		return storage.OpenResult{}, fmt.Errorf("it has lost its birth mark: %w", errDamaged)
	}
	was, before := o.encode(), o.secrets
	if !found {
		o.born = t.now
	}
	known := slices.ContainsFunc(r.Secrets, func(id [16]byte) bool { return slices.Contains(o.secrets, id) })
	if len(o.secrets) > 0 && !known {
		return storage.OpenResult{}, storage.ErrWrongSecret
	}
	if err := storage.CheckIssuers(o.issuers, r.Issuers); err != nil {
		return storage.OpenResult{}, fmt.Errorf("opening the store %s: %w", s.path, err)
	}
	issuersBefore := o.issuers
	o.secrets, o.issuers = r.Secrets, r.Issuers
	o.tokenLifetime = max(o.tokenLifetime, r.TokenLifetime)
	if now := o.encode(); !slices.Equal(now, was) {
		t.put(meta, metaOpening, now)
	}
	return storage.OpenResult{New: !found, Born: o.born, TokenLifetime: o.tokenLifetime, Secrets: before, Issuers: issuersBefore}, nil
}
