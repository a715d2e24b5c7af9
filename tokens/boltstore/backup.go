package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrBackupUnderWay is the answer to a second backup at the same time.
var ErrBackupUnderWay = errors.New("backing up the store: another backup is under way: try again when it is done")

const (
	// copyAtOnce is how much of a copy is written before it goes to the disk: a
	// decision that is made durable meanwhile may have to wait for that much.
	copyAtOnce = 1 << 20
	// spareSpace is what a backup leaves free on the disk.
	spareSpace = 64 << 20
)

// Backup is a consistent copy of a store, as it was at one moment.
type Backup struct {
	Size  int64     // bytes
	Taken time.Time // by the store's clock
	file  *os.File
}

// Backup copies the store while it is in use. The copy is made on the local
// disk at once and read from there: however long its reader takes, no page of
// the store has to be kept for it, which would make the file grow and in the
// end stop all writers. It works on after the file was removed, too. The
// caller has to call Close.
func (s *Store) Backup(ctx context.Context) (*Backup, error) {
	var b *Backup
	err := s.call(ctx, "backup", func(f *file) (err error) {
		if !f.backingUp.CompareAndSwap(false, true) {
			return ErrBackupUnderWay
		}
		defer f.backingUp.Store(false)
		b, err = s.copyFile(ctx, f)
		return err
	})
	return b, err
}

func (s *Store) copyFile(ctx context.Context, f *file) (*Backup, error) {
	dir := filepath.Dir(s.path)
	pattern := filepath.Base(s.path) + ".backup-*"
	to, err := os.CreateTemp(dir, pattern) // mode 0600
	if errors.Is(err, fs.ErrNotExist) {    // the folder is gone as well
		dir = os.TempDir()
		to, err = os.CreateTemp(dir, pattern)
	}
	if err != nil {
		return nil, fmt.Errorf("making room for the backup: %w", err)
	}
	b := &Backup{file: to}
	// Without a name nothing of it stays when this process is killed. Where the
	// system keeps the name of an open file, Close removes it.
	_ = os.Remove(to.Name())
	_, err = viewIn(s, f, func(t *txn) (struct{}, error) {
		b.Size, b.Taken = t.tx.Size(), t.now
		if free, known := freeSpace(dir); known && free < uint64(b.Size)+spareSpace {
			return struct{}{}, fmt.Errorf("the disk of %s has %d MB free, and the backup needs %d MB there for a moment: free some space", dir, free>>20, (b.Size+spareSpace)>>20)
		}
		_, err := t.tx.WriteTo(&gentleWriter{ctx: ctx, to: to})
		return struct{}{}, err
	})
	if err == nil {
		_, err = to.Seek(0, io.SeekStart)
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("backing up the store: %w", err)
	}
	return b, nil
}

// Read implements io.Reader.
func (b *Backup) Read(p []byte) (int, error) { return b.file.Read(p) }

// Close gives up the copy.
func (b *Backup) Close() {
	_ = b.file.Close()
	_ = os.Remove(b.file.Name())
}

// gentleWriter writes a long file in parts that each go to the disk, so that
// a small write that has to be durable meanwhile does not wait for all of it.
type gentleWriter struct {
	ctx     context.Context
	to      *os.File
	pending int
}

func (w *gentleWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.to.Write(p)
	if w.pending += n; err == nil && w.pending >= copyAtOnce {
		w.pending = 0
		err = w.to.Sync()
	}
	return n, err
}
