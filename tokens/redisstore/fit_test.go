package redisstore

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// unsafeWithin waits until a store says of itself that it is unsafe, or is not.
func unsafeWithin(t *testing.T, s *Store, want string) {
	t.Helper()
	begun := time.Now()
	for {
		b, err := s.Beat(t.Context(), storage.BeatRequest{})
		mustDo(t, err)
		if want == "" && b.Unsafe == nil || want != "" && b.Unsafe != nil && strings.Contains(b.Unsafe.Error(), want) {
			t.Logf("%q after %s", want, time.Since(begun).Round(time.Millisecond))
			return
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("30 s later the store says %v, want %q", b.Unsafe, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// R8: what the start demands of Redis is demanded while it runs.
func TestSettingsChangedWhileRunning(t *testing.T) {
	t.Parallel()
	soon := func(o *Options) { o.fitEvery = 2 * unfitEvery }
	t.Run("R8: eviction policy", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t)
		s, lax := openStore(t, server, soon), openStore(t, server, soon, func(o *Options) { o.AllowEviction = true })
		c := newChain(t, s, "local|alice")
		server.Do("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
		unsafeWithin(t, s, "Redis's maxmemory-policy is volatile-ttl, so it may throw")
		mustDo(t, c.rotate(s)) // an alarm, and no outage
		unsafeWithin(t, lax, "")
		server.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
		unsafeWithin(t, s, "")
		server.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
		unsafeWithin(t, s, "allkeys-lru")
		accepted := s.options
		accepted.AllowEviction = true
		mustDo(t, s.Reconfigure(t.Context(), accepted))
		unsafeWithin(t, s, "")
	})
	t.Run("R8: a replica that takes writes", func(t *testing.T) {
		t.Parallel()
		primary, server := redistest.Start(t), redistest.Start(t)
		s := openStore(t, server, soon)
		c := newChain(t, s, "local|alice")
		server.Do("CONFIG", "SET", "replica-read-only", "no")
		host, port, _ := strings.Cut(primary.Addr, ":")
		primary.Kill() // so that the replica keeps what it has
		server.Do("REPLICAOF", host, port)
		unsafeWithin(t, s, "replica that takes writes")
		if err := c.rotate(s); err == nil || !strings.Contains(err.Error(), "replica-read-only yes") {
			t.Errorf("a decision at a replica that loses it: %v", err)
		}
		if _, err := s.Denials(t.Context(), []storage.UserTag{user}); err != nil {
			t.Errorf("reading: %v", err)
		}
		server.Do("REPLICAOF", "NO", "ONE")
		unsafeWithin(t, s, "")
		mustDo(t, c.rotate(s))
	})
}

// R8: a server that names no policy, as managed ones may, is refused with the way out.
func TestInfoWithoutAPolicy(t *testing.T) {
	info := map[string]string{"redis_version": "7.0.15", "role": "master"}
	s := New(Options{Addresses: []string{"127.0.0.1:1"}})
	if err := checkInfo(s.wanted, info); err == nil || !strings.Contains(err.Error(), "`allow_eviction`") {
		t.Errorf("no policy: %v", err)
	}
	if err := checkInfo(&Options{AllowEviction: true}, info); err != nil {
		t.Errorf("no policy, and accepted: %v", err)
	}
}
