package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// watched is an open store whose watch looks often.
func watched(t *testing.T, path string) *Store {
	t.Helper()
	s := New(Options{Path: path})
	s.watchEvery, s.sweepEvery = 20*time.Millisecond, 50*time.Millisecond
	mustOpen(t, s)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// wantBeat waits until the store says something of itself; "" is that it is well.
func wantBeat(t *testing.T, s *Store, want string) error {
	t.Helper()
	var err error
	for begun := time.Now(); time.Since(begun) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		_, err = s.Beat(t.Context(), storage.BeatRequest{})
		if (err == nil) == (want == "") && (err == nil || strings.Contains(err.Error(), want)) {
			return err
		}
	}
	t.Fatalf("the store says %v, want %q", err, want)
	return nil
}

// denyOne makes something durable.
func denyOne(t *testing.T, s *Store, n byte) error {
	t.Helper()
	return s.DenyToken(t.Context(), storage.UserTag{n}, storage.TokenID{n}, time.Now().Add(time.Hour))
}

// R4: on a disk that stalls, decisions fail in about a second, and the next at
// once; when it goes on they succeed again.
func TestR4DiskStalls(t *testing.T) {
	s := watched(t, filepath.Join(t.TempDir(), "gatehouse.db"))
	goOn := make(chan struct{})
	stalled := &decision{done: make(chan struct{}), run: func(*txn) error { <-goOn; return nil }} // as an fsync does that does not return
	s.file.committer.submit(stalled)
	begun := time.Now()
	if err := denyOne(t, s, 1); !errors.Is(err, errStalled) {
		t.Errorf("writing: %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	for range 100 {
		if err := denyOne(t, s, 2); !errors.Is(err, errStalled) {
			t.Errorf("writing: %v", err)
		}
	}
	s.file.committer.mu.Lock()
	waiting := len(s.file.committer.waiting)
	s.file.committer.mu.Unlock()
	if waiting > 3 { // the first, and the watch's own
		t.Errorf("%d decisions have queued up", waiting)
	}
	if err := wantBeat(t, s, "does not confirm what is written since"); !strings.Contains(err.Error(), s.path) {
		t.Errorf("the message does not name the file: %v", err)
	}
	if _, err := s.Denials(t.Context(), []storage.UserTag{{1}}); err != nil {
		t.Errorf("reading meanwhile: %v", err)
	}
	close(goOn)
	wantBeat(t, s, "")
	if err := denyOne(t, s, 3); err != nil {
		t.Error(err)
	}
}

// R4: a disk that takes no writes is noticed without a request, within 5 s, and so is
// its recovery. In a process of its own, which may write to no file for a while.
func TestR4DiskTakesNoWrites(t *testing.T) {
	child, out := startChild(t, "unwritable", filepath.Join(t.TempDir(), "gatehouse.db"))
	said, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil || string(said) != "ok\n" {
		t.Errorf("%v: %s", err, said)
	}
}

func withoutWrites(path string) {
	fail := func(format string, args ...any) {
		fmt.Printf(format+"\n", args...)
		os.Exit(1)
	}
	s := New(Options{Path: path})
	if _, err := s.Open(context.Background(), openRequest); err != nil {
		fail("opening: %v", err)
	}
	await := func(well bool) time.Duration {
		for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			_, err := s.Beat(context.Background(), storage.BeatRequest{})
			switch {
			case (err == nil) == well:
				return time.Since(begun)
			case time.Since(begun) > 30*time.Second:
				fail("the store says %v", err)
			}
		}
	}
	limit := func(size uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: 1 << 62}); err != nil {
			fail("limiting: %v", err)
		}
	}
	signal.Ignore(syscall.SIGXFSZ)
	await(true)
	limit(0)
	if took := await(false); took > 20*time.Second { // 4 s on a quiet machine
		fail("it took %s", took)
	}
	if _, err := s.Denials(context.Background(), []storage.UserTag{{1}}); err != nil {
		fail("reading meanwhile: %v", err)
	}
	limit(1 << 40)
	await(true)
	if err := s.DenyToken(context.Background(), storage.UserTag{1}, storage.TokenID{1}, time.Now().Add(time.Hour)); err != nil {
		fail("writing again: %v", err)
	}
	if err := s.Close(); err != nil {
		fail("closing: %v", err)
	}
	fmt.Println("ok")
	os.Exit(0)
}

// R5: a file that is removed or replaced while it is open is noticed; nothing is
// decided that would be lost, what it holds can be backed up, and it is well
// again when it is back.
func TestR5FileRemovedOrReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		disturb func(t *testing.T, path string)
		want    error
	}{
		"removed": {func(*testing.T, string) {}, storage.ErrStoreRemoved},
		"replaced": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("another"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, storage.ErrStoreReplaced},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gatehouse.db")
			s := watched(t, path)
			if err := denyOne(t, s, 1); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path, path+".away"); err != nil {
				t.Fatal(err)
			}
			c.disturb(t, path)
			if err := wantBeat(t, s, path); !errors.Is(err, c.want) {
				t.Errorf("the store says %v", err)
			}
			if err := denyOne(t, s, 2); !errors.Is(err, c.want) {
				t.Errorf("writing: %v", err)
			}
			b, err := s.Backup(t.Context())
			if err != nil {
				t.Fatalf("backing up what is open: %v", err)
			}
			b.Close()
			if err := os.Rename(path+".away", path); err != nil {
				t.Fatal(err)
			}
			wantBeat(t, s, "")
			if err := denyOne(t, s, 3); err != nil {
				t.Error(err)
			}
		})
	}
}

// R4: a file that is cut while it is open stays damaged: what is written behind
// its end would make it look whole again.
func TestR4FileIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	s := watched(t, path)
	for n := range byte(50) {
		if err := denyOne(t, s, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(path, 3*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if err := wantBeat(t, s, "the file is damaged: restore a backup"); !strings.Contains(err.Error(), path) {
		t.Errorf("the message does not name the file: %v", err)
	}
	if err := denyOne(t, s, 60); !errors.Is(err, errDamaged) {
		t.Errorf("writing: %v", err)
	}
}

// R5: an empty file where there must be a store.
func TestR5EmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	expected := openRequest
	expected.Expected = true
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Path: path}).Open(t.Context(), expected); !errors.Is(err, errEmpty) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Error("the file was touched")
	}
	// One that was prepared for a store whose secret is configured is fine.
	s := New(Options{Path: path})
	res, err := s.Open(t.Context(), openRequest)
	if err != nil || !res.New {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err = s.Open(t.Context(), expected); err != nil || res.New {
		t.Errorf("opened again: %+v, %v", res, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func init() { childParts["unwritable"] = withoutWrites }
