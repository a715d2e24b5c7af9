package boltstore

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// R2: who reads a backup slowly holds up nobody, and the file does not grow for
// it; what is read in the end is of the moment when it was asked for.
func TestR2SlowReaderOfABackup(t *testing.T) {
	s := openStore(t)
	c := newChain(t, s, "local|alice")
	b, err := s.Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const rotations = 300
	for range rotations {
		if err := c.rotate(s); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(s.path); err != nil || info.Size() > 2*growBy {
		t.Errorf("the file has grown to %d bytes, %v", info.Size(), err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	data, err := io.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	contents, err := Check(path)
	if err != nil || contents.Families != 1 || !contents.OpenedBy(openRequest.Secrets) || contents.OpenedBy([][16]byte{{9}}) {
		t.Errorf("%+v, %v", contents, err)
	}
	restored := New(Options{Path: path})
	mustOpen(t, restored)
	defer func() { _ = restored.Close() }()
	res, err := restored.Rotate(t.Context(), c.request) // 300 generations newer than the copy knows
	if err != nil || res.Outcome != storage.RotateHealed {
		t.Errorf("outcome %d, %v", res.Outcome, err)
	}
	if left, _ := filepath.Glob(s.path + ".backup*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBackupEndsWithItsCaller(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if _, err := s.Backup(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Backup: %v", err)
	}
	s.file.backingUp.Store(true)
	if _, err := s.Backup(t.Context()); !errors.Is(err, ErrBackupUnderWay) {
		t.Errorf("a second backup: %v", err)
	}
}
