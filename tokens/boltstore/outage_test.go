package boltstore

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// stalled lets the committer stand still, as it does at a disk that does, until
// goOn is called.
func stalled(t *testing.T, s *Store) (goOn func()) {
	t.Helper()
	running, over, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, err := decideIn(context.Background(), s.file, func(t *txn) (int, error) {
			close(running)
			<-over
			t.put(profiles, []byte{1}, []byte("written"))
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
	}()
	<-running
	return func() {
		close(over)
		<-done
	}
}

// outageFamily begins a family, and returns how to present a generation of it.
func outageFamily(t *testing.T, s *Store, id byte) func(generation uint32, change ...func(*storage.RotateRequest)) storage.RotateRequest {
	t.Helper()
	user := storage.UserTag{id}
	ctx := t.Context()
	session, err := s.CreateSession(ctx, storage.SessionRequest{User: user, ID: storage.SessionID{1}, Lifetime: time.Hour, Profile: storage.Profile{Subject: "profile"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateFamily(ctx, storage.CreateRequest{
		User: user, ID: storage.FamilyID{id}, AuthTime: session.AuthTime, Lifetime: time.Hour, MaxActive: 9, DenyFor: time.Hour, Attempt: storage.Attempt{id, 1},
	}); err != nil {
		t.Fatal(err)
	}
	attempt := byte(1)
	return func(generation uint32, change ...func(*storage.RotateRequest)) storage.RotateRequest {
		attempt++
		r := storage.RotateRequest{
			Fingerprints: []storage.Fingerprint{{}},
			User:         user, Family: storage.FamilyID{id}, Presented: generation, Rotation: true, Lifetime: time.Hour, DenyFor: time.Hour,
			Attempt: storage.Attempt{id, 0, 0, attempt},
		}
		for _, c := range change {
			c(&r)
		}
		return r
	}
}

// TestR1CallerHasLeft: what still waits when its caller leaves is never run, and
// those who stay are served.
func TestR1CallerHasLeft(t *testing.T) {
	s := openStore(t)
	leaves, stays := outageFamily(t, s, 1), outageFamily(t, s, 2)
	goOn := stalled(t, s)
	left := leaves(1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if res, err := s.Rotate(t.Context(), stays(1)); err != nil || res.Outcome != storage.Rotated {
			t.Errorf("who stays: %+v, %v", res, err)
		}
	})
	for range 3 {
		if _, err := s.Rotate(ctx, left); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who leaves: %v", err)
		}
	}
	goOn()
	wg.Wait()
	again := left
	again.Attempt = storage.Attempt{9}
	if res, err := s.Rotate(t.Context(), again); err != nil || res.Outcome != storage.Rotated || res.Family.Generation != 2 {
		t.Errorf("who comes again: %+v, %v", res, err)
	}
}

// TestR1CallerLeavesMeanwhile: what has begun is committed, though its caller was
// told to come again; the store hears of that, and it counts as not answered.
func TestR1CallerLeavesMeanwhile(t *testing.T) {
	s := openStore(t)
	present := outageFamily(t, s, 1)
	begun, over := make(chan struct{}), make(chan struct{})
	r := present(1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := decideIn(ctx, s.file, func(t *txn) (storage.RotateResult, error) {
		close(begun)
		<-over
		return rotate(t, r, nil)
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(over)
	if err := s.Unanswered(t.Context(), storage.UnansweredRequest{User: r.User, Family: r.Family, Presented: 1, Attempts: []storage.Attempt{r.Attempt}}); err != nil {
		t.Fatal(err)
	}
	if res, err := s.Rotate(t.Context(), present(1)); err != nil || res.Outcome != storage.Rotated || res.Family.Generation != 2 {
		t.Errorf("who comes again: %+v, %v", res, err)
	}
	if res, err := s.Rotate(t.Context(), present(1)); err != nil || res.Outcome != storage.RotateReused {
		t.Errorf("a thief: %+v, %v", res, err)
	}
}

// rotateUntilKilled rotates a few families, and says so when that is durable: the
// process is killed before it has told anybody else.
func rotateUntilKilled(path string) {
	s := New(Options{Path: path})
	ctx := context.Background()
	if _, err := s.Open(ctx, openRequest); err != nil {
		panic(err)
	}
	beat := storage.BeatRequest{Node: storage.NodeMark{7, 7, 7}, Settled: true}
	for n := byte(1); ; n++ {
		if _, err := s.Beat(ctx, beat); err != nil {
			panic(err)
		}
		if n > diedFamilies {
			os.Stdout.WriteString("done\n")
			select {}
		}
		user := storage.UserTag{n}
		session, err := s.CreateSession(ctx, storage.SessionRequest{User: user, ID: storage.SessionID{1}, Lifetime: 24 * time.Hour, Profile: storage.Profile{Subject: "profile"}})
		if err == nil {
			_, err = s.CreateFamily(ctx, storage.CreateRequest{
				User: user, ID: storage.FamilyID{n}, AuthTime: session.AuthTime, Lifetime: 24 * time.Hour, MaxActive: 9, Attempt: storage.Attempt{7, 7, 7, n},
			})
		}
		if err == nil {
			_, err = s.Rotate(ctx, storage.RotateRequest{Fingerprints: []storage.Fingerprint{{}}, User: user, Family: storage.FamilyID{n}, Presented: 1, Rotation: true, Attempt: storage.Attempt{7, 7, 7, n, 1}})
		}
		if err != nil {
			panic(err)
		}
	}
}

const diedFamilies = 8

// TestR1KilledBeforeItAnswered: the process dies between the commit and the
// answer. Its clients come much later, and to a process that knows nothing of it.
func TestR1KilledBeforeItAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	child, out := startChild(t, "rotate", path)
	line := make([]byte, 5)
	if _, err := out.Read(line); err != nil || string(line) != "done\n" {
		t.Fatalf("the process said %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	later := time.Now().Add(time.Hour)
	s := New(Options{Path: path, Clock: func() time.Time { return later }})
	mustOpen(t, s)
	defer s.Close()
	present := func(n byte, attempt storage.Attempt) (storage.RotateResult, error) {
		return s.Rotate(t.Context(), storage.RotateRequest{
			Fingerprints: []storage.Fingerprint{{}},
			User:         storage.UserTag{n}, Family: storage.FamilyID{n}, Presented: 1, Rotation: true, Leeway: 10 * time.Second, DenyFor: time.Hour, Attempt: attempt,
		})
	}
	for n := byte(1); n <= diedFamilies; n++ {
		if res, err := present(n, storage.Attempt{n}); err != nil || res.Outcome != storage.Rotated || res.Family.Generation != 2 {
			t.Errorf("family %d: %+v, %v", n, res, err)
		}
	}
	later = later.Add(time.Minute)
	if res, err := present(1, storage.Attempt{99}); err != nil || res.Outcome != storage.RotateReused {
		t.Errorf("a thief: %+v, %v", res, err)
	}
}

// TestR1FrozenDisk freezes a real file system for longer than anybody waits.
func TestR1FrozenDisk(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("NOT RUN: a disk can't be frozen here: %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("NOT RUN: a disk is frozen by root, on Linux")
	}
	image, mount := filepath.Join(dir, "disk"), filepath.Join(dir, "mnt")
	run("truncate", "-s", "64M", image)
	run("mkfs.ext4", "-q", image)
	run("mkdir", mount)
	run("mount", "-o", "loop", image, mount)
	t.Cleanup(func() { _ = exec.Command("umount", "-l", mount).Run() })
	s := New(Options{Path: filepath.Join(mount, "gatehouse.db")})
	mustOpen(t, s)
	defer s.Close()
	const many = 8
	presents := make([]func(uint32, ...func(*storage.RotateRequest)) storage.RotateRequest, many)
	for i := range presents {
		presents[i] = outageFamily(t, s, byte(i+1))
	}
	run("fsfreeze", "-f", mount)
	thaw := sync.OnceFunc(func() { _ = exec.Command("fsfreeze", "-u", mount).Run() })
	defer thaw()
	asked := make([]storage.RotateRequest, many)
	var wg sync.WaitGroup
	for i := range presents {
		asked[i] = presents[i](1)
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := s.Rotate(ctx, asked[i]); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("at a frozen disk: %v", err)
			}
		})
	}
	wg.Wait()
	thaw()
	for i, r := range asked { // as the State of the process does
		if err := s.Unanswered(t.Context(), storage.UnansweredRequest{User: r.User, Family: r.Family, Presented: 1, Attempts: []storage.Attempt{r.Attempt}}); err != nil {
			t.Fatal(err)
		}
		if res, err := s.Rotate(t.Context(), presents[i](1)); err != nil || res.Outcome != storage.Rotated || res.Family.Generation != 2 {
			t.Errorf("who comes again: %+v, %v", res, err)
		}
	}
}
