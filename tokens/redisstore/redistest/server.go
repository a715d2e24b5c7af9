// Package redistest starts real Redis servers on free loopback ports for tests,
// and a proxy that breaks connections at the worst moment.
package redistest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Program is the server that is started.
const Program = "redis-server"

// Server is a process of Redis.
type Server struct {
	Addr string
	Port int

	t       testing.TB
	dir     string
	args    []string
	process *exec.Cmd
}

// Start starts a server that keeps nothing on disk, with further settings as on
// its command line. It ends with the test. Without the program the test is
// skipped, loudly.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := New(t, settings...)
	s.Run()
	return s
}

// New returns a server that does not run yet, on a port of its own.
func New(t testing.TB, settings ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath(Program); err != nil {
		t.Skipf("SKIPPED: %s is not installed, so nothing of the Redis store was tested here (apt install redis-server)", Program)
	}
	port := FreePort(t)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Port: port, t: t, dir: t.TempDir()}
	s.args = append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", s.dir, "--daemonize", "no", "--protected-mode", "no", "--repl-diskless-sync-delay", "0",
	}, settings...)
	t.Cleanup(s.Kill)
	return s
}

// Dir is where the server may keep files.
func (s *Server) Dir() string { return s.dir }

// Set adds settings, before Run.
func (s *Server) Set(settings ...string) { s.args = append(s.args, settings...) }

// Run starts the process, again if it was killed, and waits until it listens.
func (s *Server) Run() {
	s.t.Helper()
	s.start()
	s.await()
}

func (s *Server) start() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.process = exec.Command(Program, s.args...)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("starting %s: %v", Program, err)
	}
}

func (s *Server) await() {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", s.Addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("%s does not listen: %s", Program, log)
		}
	}
}

// Kill ends the process as kill -9 does.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	s.process = nil
}

// Stop holds the process, so that it keeps its connections and answers nothing.
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Continue lets a stopped process go on.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Do runs redis-cli's kind of command over a connection of its own and returns
// the raw answer of simple commands, for settings and counters.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	answer, err := do(s.Addr, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return answer
}
