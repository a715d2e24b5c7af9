package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// Open implements tokens.Store. It makes the directory (0700) and the file
// (0600) where they are missing, and waits for a process that still holds the file.
func (s *Store) Open(ctx context.Context, r tokens.OpenRequest) (tokens.OpenResult, error) {
	start := time.Now()
	result, err := s.open(ctx, r)
	s.onCall("open", time.Since(start), err)
	return result, err
}

func (s *Store) open(ctx context.Context, r tokens.OpenRequest) (tokens.OpenResult, error) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	r.Secrets = slices.Clone(r.Secrets) // the caller may leave before the commit
	apply := func(t *txn) (tokens.OpenResult, error) { return applyOpening(t, r) }
	if s.closed {
		return tokens.OpenResult{}, errClosed
	}
	if s.file != nil {
		return commitIn(ctx, s.file, apply)
	}
	if _, err := os.Stat(s.path); r.Transfer && errors.Is(err, os.ErrNotExist) {
		return tokens.OpenResult{}, fmt.Errorf("opening the store %s: %w", s.path, tokens.ErrNoStore)
	}
	db, err := s.openFile(ctx)
	if err != nil {
		return tokens.OpenResult{}, err
	}
	f := &file{db: db, committer: newCommitter(db, &s.clock, s.nodes.alongside)}
	f.sweeper = newSweeper(s, f)
	result, err := commitIn(ctx, f, apply)
	if err == nil {
		_, err = viewIn(s, f, func(t *txn) (struct{}, error) { return struct{}{}, s.nodes.load(t) })
	}
	if err != nil {
		return tokens.OpenResult{}, errors.Join(err, f.close())
	}
	s.mu.Lock()
	s.file = f
	s.mu.Unlock()
	return result, nil
}

// errDamaged is a file that is not whole, as a copy that broke off.
var errDamaged = errors.New("the file is damaged, it ends before its last page: restore it from a backup, or move it away to begin anew")

// openFile opens the database and makes its buckets.
func (s *Store) openFile(ctx context.Context) (*bolt.DB, error) {
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the store's directory: %w", err)
	}
	_, err := os.Lstat(s.path)
	isNew := errors.Is(err, os.ErrNotExist)
	db, err := s.lockFile(ctx)
	if err != nil {
		return nil, err
	}
	err = protect(func() error {
		return db.Update(func(tx *bolt.Tx) error {
			if info, err := os.Stat(s.path); err != nil || info.Size() < tx.Size() {
				return errors.Join(err, errDamaged)
			}
			for _, name := range bucketNames {
				if _, err := tx.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err == nil && isNew {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the store %s: %w", s.path, err), db.Close())
	}
	return db, nil
}

// lockPoll is how often Open looks whether the file is free and whether its
// context has ended. It must be longer than the 50 ms within which bbolt gives
// up without having tried.
const lockPoll = 60 * time.Millisecond

// lockFile opens the file and takes its lock.
func (s *Store) lockFile(ctx context.Context) (*bolt.DB, error) {
	options := &bolt.Options{
		Timeout: lockPoll,
		// The list of free pages is written with every commit. To find it
		// again at Open, bbolt walks the file in a goroutine of its own, where
		// a damaged page would end the whole process.
		NoFreelistSync: false,
		FreelistType:   bolt.FreelistMapType,
		NoStatistics:   true,
		OpenFile:       openPrivate,
	}
	for deadline := time.Now().Add(s.lockTimeout); ; {
		var db *bolt.DB
		err := protect(func() (err error) {
			db, err = bolt.Open(s.path, 0o600, options)
			return err
		})
		switch {
		case err == nil:
			return db, nil
		case !errors.Is(err, bolterrors.ErrTimeout):
			return nil, fmt.Errorf("opening the store %s: %w", s.path, err)
		case ctx.Err() != nil:
			return nil, fmt.Errorf("waiting for the lock of the store %s: %w", s.path, ctx.Err())
		case !time.Now().Before(deadline):
			return nil, lockedError(s.path, s.lockTimeout)
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
			err = errors.New("the file was exchanged while it was opened")
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

// applyOpening compares the secrets and remembers what the store is opened
// with. The store belongs to the gateways of its last opening: one that has
// none of their secrets is a stranger. So a secret changes in three steps,
// (old new), (new old), (new), and an old one is no key for ever.
func applyOpening(t *txn, r tokens.OpenRequest) (tokens.OpenResult, error) {
	var o openingRecord
	found, err := t.read(meta, metaOpening, &o)
	switch {
	case err != nil:
		return tokens.OpenResult{}, err
	case t.get(meta, metaImporting) != nil:
		return tokens.OpenResult{}, tokens.ErrUnfinishedImport
	case r.Transfer && !found:
		return tokens.OpenResult{}, tokens.ErrNoStore
	case !r.Transfer && t.get(meta, metaMoved) != nil:
		return tokens.OpenResult{}, tokens.ErrMoved
	}
	was, before := o.encode(), o.secrets
	if !found {
		o.born = t.now
	}
	known := slices.ContainsFunc(r.Secrets, func(id [16]byte) bool { return slices.Contains(o.secrets, id) })
	if len(o.secrets) > 0 && !known {
		return tokens.OpenResult{}, tokens.ErrWrongSecret
	}
	o.secrets = r.Secrets
	o.tokenLifetime = max(o.tokenLifetime, r.TokenLifetime)
	if now := o.encode(); !slices.Equal(now, was) {
		t.put(meta, metaOpening, now)
	}
	return tokens.OpenResult{Born: o.born, TokenLifetime: o.tokenLifetime, Secrets: before}, nil
}
