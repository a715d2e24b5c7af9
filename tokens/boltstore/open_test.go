package boltstore

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// childEnv makes the test binary play another process: its value is the part.
const childEnv = "GATEHOUSE_TEST_CHILD"

// childParts are more parts, of a path.
var childParts = map[string]func(path string){}

func TestMain(m *testing.M) {
	if part := childParts[os.Getenv(childEnv)]; part != nil {
		part(os.Args[len(os.Args)-1])
	}
	switch os.Getenv(childEnv) {
	case "hold":
		holdLock(os.Args[len(os.Args)-1])
	case "rotate":
		rotateUntilKilled(os.Args[len(os.Args)-1])
	case "write":
		writeUntilKilled(os.Args[len(os.Args)-2], os.Args[len(os.Args)-1])
	default:
		os.Exit(m.Run())
	}
}

// startChild starts the test binary in another part.
func startChild(t *testing.T, part string, args ...string) (*exec.Cmd, *os.File) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"="+part)
	cmd.Stdout, cmd.Stderr = in, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = out.Close()
	})
	return cmd, out
}

// holdLock opens the store and keeps it until it is killed.
func holdLock(path string) {
	if _, err := New(Options{Path: path}).Open(context.Background(), openRequest); err != nil {
		panic(err)
	}
	os.Stdout.WriteString("open\n")
	select {}
}

func TestNewTouchesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "gatehouse.db")
	s := New(Options{Path: path})
	if _, err := s.Now(t.Context()); !errors.Is(err, errNotOpen) {
		t.Errorf("Now before Open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close before Open: %v", err)
	}
	if _, err := s.Open(t.Context(), openRequest); !errors.Is(err, errClosed) {
		t.Errorf("Open after Close: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
}

// ADM-09: the file is 0600, and the directories made for it 0700.
func TestOpenModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no file modes on Windows")
	}
	path := filepath.Join(t.TempDir(), "a", "b", "gatehouse.db")
	s := New(Options{Path: path})
	mustOpen(t, s)
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700} {
		info, err := os.Stat(p)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v (%v), want %v", p, info.Mode().Perm(), err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// ADM-09: no links, and no file that others can read.
func TestOpenRefuses(t *testing.T) {
	cases := []struct {
		name string
		make func(t *testing.T, path string) error
		want string
	}{
		{"symbolic link", func(t *testing.T, path string) error {
			real := path + ".real"
			if err := os.WriteFile(real, nil, 0o600); err != nil {
				return err
			}
			return os.Symlink(real, path)
		}, "symbolic link"},
		{"dangling link", func(_ *testing.T, path string) error { return os.Symlink(path+".real", path) }, "symbolic link"},
		{"directory", func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) }, "not a regular file"},
		{"world-readable", func(_ *testing.T, path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Chmod(path, 0o644)
		}, "chmod 600 "},
		{"other content", func(_ *testing.T, path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600)
		}, "invalid database"},
		{"directory that is a file", func(t *testing.T, path string) error {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				return err
			}
			return os.WriteFile(filepath.Dir(path), nil, 0o600)
		}, "making the store's directory"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "gatehouse.db")
			if err := c.make(t, path); err != nil {
				t.Fatal(err)
			}
			s := New(Options{Path: path, LockTimeout: time.Second})
			_, err := s.Open(t.Context(), openRequest)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Open: %v, want the path and %q", err, c.want)
			}
			if _, err := os.Stat(path + ".real"); c.name == "dangling link" && err == nil {
				t.Error("Open made the file that a link names")
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// a file that another process has is an error with its path and pid, not a hang.
func TestOpenLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	child, out := startChild(t, "hold", path)
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatalf("waiting for the child: %v", err)
	}
	s := New(Options{Path: path, LockTimeout: 200 * time.Millisecond})
	t.Cleanup(func() { _ = s.Close() })
	start := time.Now()
	_, err := s.Open(t.Context(), openRequest)
	if took := time.Since(start); took < 200*time.Millisecond || took > 30*time.Second {
		t.Errorf("Open gave up after %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("Open of a locked file: %v, want its path", err)
	}
	if pid := strconv.Itoa(child.Process.Pid); runtime.GOOS == "linux" && !strings.Contains(err.Error(), "pid "+pid) {
		t.Errorf("Open: %v, want pid %s", err, pid)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	patient := New(Options{Path: path})
	t.Cleanup(func() { _ = patient.Close() })
	if _, err := patient.Open(ctx, openRequest); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open with a context that ends: %v", err)
	}

	// A restart overlaps: the old process goes while the new one waits.
	time.AfterFunc(100*time.Millisecond, func() { _ = child.Process.Kill() })
	if _, err := patient.Open(t.Context(), openRequest); err != nil {
		t.Errorf("Open while the holder goes: %v", err)
	}
}

func TestOpenTwiceInOneProcess(t *testing.T) {
	first := openStore(t)
	second := New(Options{Path: first.path, LockTimeout: 100 * time.Millisecond})
	_, err := second.Open(t.Context(), openRequest)
	if err == nil || !strings.Contains(err.Error(), first.path) {
		t.Errorf("Open: %v", err)
	}
	if runtime.GOOS == "linux" && !strings.Contains(err.Error(), "this process") {
		t.Errorf("Open: %v, want it to say that this process holds the file", err)
	}
}

func TestWrongSecretReleasesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	s := New(Options{Path: path})
	mustOpen(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stranger := New(Options{Path: path})
	if _, err := stranger.Open(t.Context(), storage.OpenRequest{Secrets: [][16]byte{{9}}}); !errors.Is(err, storage.ErrWrongSecret) {
		t.Fatalf("Open: %v", err)
	}
	mustOpen(t, New(Options{Path: path, LockTimeout: 100 * time.Millisecond}))
}

func TestOnCall(t *testing.T) {
	var calls, faults atomic.Int32
	s := openStore(t, func(o *Options) {
		o.OnCall = func(_ context.Context, op string, d time.Duration, err error) {
			if op == "" || d < 0 {
				t.Errorf("call %q took %v", op, d)
			}
			calls.Add(1)
			if err != nil {
				faults.Add(1)
			}
		}
	})
	if _, err := s.Profile(t.Context(), storage.UserTag{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = s.Profile(ctx, storage.UserTag{})
	if calls.Load() != 3 || faults.Load() != 1 {
		t.Errorf("%d calls and %d faults, want 3 and 1", calls.Load(), faults.Load())
	}
}

func TestCloseWaits(t *testing.T) {
	// Whatever was confirmed when Close returned is there afterwards, and no
	// call is cut.
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	s := New(Options{Path: path})
	mustOpen(t, s)
	confirmed := make(chan int, 32)
	var started atomic.Int32
	for range 32 {
		go func() {
			for n := 0; ; n++ {
				started.Add(1)
				if err := s.DenyToken(context.Background(), storage.UserTag{}, storage.TokenID{byte(n), byte(n >> 8)}, time.Now().Add(time.Hour)); err != nil {
					if !errors.Is(err, errClosed) {
						t.Errorf("DenyToken: %v", err)
					}
					confirmed <- n
					return
				}
			}
		}()
	}
	for started.Load() < 500 {
		runtime.Gosched()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	most := 0
	for range 32 {
		most = max(most, <-confirmed)
	}
	again := openStore(t, func(o *Options) { o.Path = path })
	d, err := again.Denials(t.Context(), []storage.UserTag{{}})
	if err != nil || len(d[0].Entries) != most {
		t.Errorf("%d entries (%v), want %d", len(d[0].Entries), err, most)
	}
}
