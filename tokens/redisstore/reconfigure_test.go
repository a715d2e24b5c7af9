package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestReconfigure changes how a store is reached while it is busy.
func TestReconfigure(t *testing.T) {
	server := redistest.Start(t)
	for _, name := range []string{"before", "after"} {
		server.Do("ACL", "SETUSER", name, "on", ">of-"+name, "~*", "&*", "+@all")
	}
	as := func(name string, change ...func(*Options)) Options {
		o := Options{Addresses: []string{server.Addr}, Username: name, Password: "of-" + name}
		for _, c := range change {
			c(&o)
		}
		return o
	}
	s := openStore(t, server, func(o *Options) { *o = as("before") })
	var done atomic.Bool
	var wg sync.WaitGroup
	for i := range 4 {
		c := newChain(t, s, fmt.Sprintf("local|%d", i))
		wg.Go(func() {
			for !done.Load() {
				if err := c.rotate(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	was := s.conn
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"wrong password": {as("after", func(o *Options) { o.Password = "wrong" }), "refuses the username or the password"},
		"not there":      {as("after", func(o *Options) { o.Addresses = []string{"127.0.0.1:1"} }), "127.0.0.1:1"},
		"mode":           {as("after", func(o *Options) { o.Mode = Cluster }), "`cluster`"},
	} {
		if err := s.Reconfigure(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	mustDo(t, s.Reconfigure(t.Context(), as("before")))
	if s.conn != was {
		t.Error("the connection was changed for settings that did not work, or were the same")
	}
	mustDo(t, s.Reconfigure(t.Context(), as("after", func(o *Options) { o.PoolSize, o.Timeout = 3, 2*time.Second })))
	server.Do("ACL", "DELUSER", "before")
	for range 100 {
		_, err := s.Denials(t.Context(), []storage.UserTag{user})
		mustDo(t, err)
	}
	done.Store(true)
	wg.Wait()
	if s.conn == was || s.conn.options.PoolSize != 3 {
		t.Error("the new settings are not in use")
	}
}

// TestReconfigureWithoutServer: while Redis is out of reach, nothing tells which
// settings are right; the new ones stand.
func TestReconfigureWithoutServer(t *testing.T) {
	server := redistest.New(t, "--requirepass", "secret")
	s := New(Options{Addresses: []string{server.Addr}, Password: "wrong"})
	defer s.Close()
	mustDo(t, s.Reconfigure(t.Context(), Options{Addresses: []string{server.Addr}, Password: "wrong too"}))
	if _, err := s.Open(t.Context(), openRequest); !errors.Is(err, ErrUnreachable) {
		t.Errorf("opening without Redis: %v", err)
	}
	mustDo(t, s.Reconfigure(t.Context(), Options{Addresses: []string{server.Addr}, Password: "secret"}))
	server.Run()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := s.Open(t.Context(), openRequest); err == nil {
			break
		} else if time.Since(start) > 20*time.Second {
			t.Fatal(err)
		}
	}
}
