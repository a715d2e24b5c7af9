package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// MasterName is what the sentinels call the primary.
const MasterName = "gate"

// Sentinels are three sentinels that watch a primary and two replicas.
type Sentinels struct {
	Addrs   []string
	Servers []*Server // the first began as the primary

	t testing.TB
}

// StartSentinels starts all six processes and waits until they know each other.
func StartSentinels(t testing.TB) *Sentinels {
	t.Helper()
	s := &Sentinels{t: t}
	primary := Start(t)
	s.Servers = []*Server{primary}
	for range 2 {
		s.Servers = append(s.Servers, Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.Port)))
	}
	var sentinels []*Server
	for range 3 {
		sentinel := New(t)
		file := filepath.Join(sentinel.dir, "sentinel.conf")
		config := fmt.Sprintf("port %d\nbind 127.0.0.1\nprotected-mode no\ndir %s\nsentinel monitor %[3]s 127.0.0.1 %[4]d 2\n"+
			"sentinel down-after-milliseconds %[3]s 2000\nsentinel failover-timeout %[3]s 5000\n", sentinel.Port, sentinel.dir, MasterName, primary.Port)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		sentinel.args = []string{file, "--sentinel"}
		sentinel.Run()
		sentinels = append(sentinels, sentinel)
		s.Addrs = append(s.Addrs, sentinel.Addr)
	}
	for _, sentinel := range sentinels {
		until(t, "the sentinels know each other", func() bool {
			others, _ := do(sentinel.Addr, "SENTINEL", "SENTINELS", MasterName)
			replicas, _ := do(sentinel.Addr, "SENTINEL", "REPLICAS", MasterName)
			return strings.Count(others, "name\n") == 2 && strings.Count(replicas, "name\n") == 2 &&
				strings.Count(replicas, "master-link-status\nok") == 2
		})
	}
	return s
}

// Primary returns the server that the sentinels say is the primary.
func (s *Sentinels) Primary() *Server {
	s.t.Helper()
	for _, addr := range s.Addrs {
		answer, err := do(addr, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
		if err != nil {
			continue
		}
		host, port, _ := strings.Cut(answer, "\n")
		for _, server := range s.Servers {
			if server.Addr == net.JoinHostPort(host, port) {
				return server
			}
		}
	}
	s.t.Fatal("no sentinel knows the primary")
	return nil
}

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}
