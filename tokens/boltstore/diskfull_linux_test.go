package boltstore

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// smallDisk returns a directory on a file system of 4 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: needs root to mount a small tmpfs")
	}
	dir := t.TempDir()
	if err := syscall.Mount("gatehouse-test", dir, "tmpfs", 0, "size=4m,mode=0700"); err != nil {
		t.Skipf("SKIPPED: can't mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

// writes fail on a full disk and reads go on; with space, so do writes, and
// all that was confirmed is there.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "gatehouse.db")
	s := New(Options{Path: path})
	mustOpen(t, s)
	c := newChain(t, s, "local|alice")

	// Confirmed grants until the disk is full.
	put := func(n uint32) error {
		var id storage.GrantID
		binary.BigEndian.PutUint32(id[:], n)
		return s.PutGrant(t.Context(), id, append(make([]byte, 20_000), id[:]...), time.Hour)
	}
	var confirmed uint32
	var full error
	for full == nil && confirmed < 1000 {
		if full = put(confirmed); full == nil {
			confirmed++
		}
	}
	if full == nil {
		t.Fatal("the disk never got full")
	}
	t.Logf("full after %d writes: %v", confirmed, full)

	wantConfirmed := func() {
		t.Helper()
		for n := range confirmed {
			var id storage.GrantID
			binary.BigEndian.PutUint32(id[:], n)
			text, err := s.Grant(t.Context(), id)
			if err != nil || len(text) != 20_000+len(id) || storage.GrantID(text[20_000:]) != id {
				t.Fatalf("grant %d: %d bytes, %v", n, len(text), err)
			}
		}
	}
	failures := 0
	for range 20 {
		if put(1_000_000) != nil {
			failures++
		}
		if err := c.rotate(s); err != nil {
			failures++
		}
	}
	if failures == 0 {
		t.Error("no write fails on a full disk")
	}
	wantConfirmed()
	if _, err := s.Denials(t.Context(), []storage.UserTag{c.request.User}); err != nil {
		t.Errorf("Denials on a full disk: %v", err)
	}

	// Space is back: everything goes on without a restart.
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := put(confirmed); err != nil {
			t.Fatalf("writing when there is space again: %v", err)
		}
		confirmed++
	}
	res, err := s.Rotate(t.Context(), c.request)
	if err != nil || res.Outcome != storage.Rotated && res.Outcome != storage.RotateReplayed {
		t.Errorf("Rotate: outcome %d, %v", res.Outcome, err)
	}
	if err := s.DenyToken(t.Context(), c.request.User, storage.TokenID{1}, time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	wantConfirmed()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = New(Options{Path: path})
	mustOpen(t, s)
	wantConfirmed()
	if err := s.file.db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("the file is damaged: %v", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
