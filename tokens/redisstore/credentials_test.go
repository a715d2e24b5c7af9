package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// R13: a password that is kept in a file is changed in Redis and in the file,
// one after the other, while the store is in use.
func TestPasswordChanges(t *testing.T) {
	server := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	redis := func(password string) {
		server.Do("ACL", "SETUSER", "gate", "on", "resetpass", ">"+password, "~*", "&*", "+@all")
		server.Do("CLIENT", "KILL", "USER", "gate")
	}
	write("first")
	redis("first")
	s := openStore(t, server, func(o *Options) {
		o.Username, o.Password = "gate", "first"
		o.PasswordFrom = "`password` there"
		o.ReadPassword = func() (string, error) {
			b, err := os.ReadFile(file)
			return string(b), err
		}
	})
	fixed := openStore(t, server, func(o *Options) { o.Username, o.Password = "gate", "first" })
	c, other := newChain(t, s, "local|alice"), newChain(t, fixed, "local|bob")
	mustDo(t, c.rotate(s))

	t.Run("R13: the file, then Redis", func(t *testing.T) {
		write("second")
		mustDo(t, c.rotate(s))
		server.Do("CLIENT", "KILL", "USER", "gate")
		mustDo(t, c.rotate(s)) // what works is not given up
		redis("second")
		mustDo(t, c.rotate(s))
	})
	t.Run("R13: Redis, then the file", func(t *testing.T) {
		redis("third")
		if err := c.rotate(s); err == nil || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "refuses the username or the password") {
			t.Errorf("before the file is written: %v", err)
		}
		write("")
		if err := c.rotate(s); err == nil {
			t.Error("an empty password works")
		}
		write("third")
		mustDo(t, c.rotate(s))
	})
	t.Run("R13: the file is away for a moment", func(t *testing.T) {
		mustDo(t, os.Remove(file))
		server.Do("CLIENT", "KILL", "USER", "gate")
		mustDo(t, c.rotate(s))
		redis("fourth")
		if err := c.rotate(s); err == nil || !strings.Contains(err.Error(), file) { // H4
			t.Errorf("a password that is not known: %v", err)
		}
		for _, wrong := range []string{"wrong", "wrong", "third"} { // H4: also when it is new
			write(wrong)
			if err := c.rotate(s); err == nil || !strings.Contains(err.Error(), "`password` there holds the password that was refused") {
				t.Errorf("another wrong password: %v", err)
			}
		}
		write("fourth")
		mustDo(t, c.rotate(s))
	})
	if err := other.rotate(fixed); err == nil || !strings.Contains(err.Error(), "refuses the username or the password") {
		t.Errorf("a store with a fixed password: %v", err)
	}
}

// R13: likewise where Sentinel or a Cluster says who is asked.
func TestPasswordChangesElsewhere(t *testing.T) {
	t.Parallel()
	topologies := map[string]func(t *testing.T) (Options, []*redistest.Server){
		"sentinel": func(t *testing.T) (Options, []*redistest.Server) {
			sentinels := redistest.StartSentinels(t)
			return Options{Mode: Sentinel, MasterName: redistest.MasterName, Addresses: sentinels.Addrs}, sentinels.Servers
		},
		"cluster": func(t *testing.T) (Options, []*redistest.Server) {
			nodes := redistest.StartCluster(t)
			return Options{Mode: Cluster, Addresses: nodes.Addrs()}, nodes.Servers
		},
	}
	for name, start := range topologies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, servers := start(t)
			var known atomic.Value
			o.Username, o.Password, o.Timeout = "gate", "first", 4*time.Second
			o.ReadPassword = func() (string, error) { return known.Load().(string), nil }
			change := func(password string) {
				known.Store(password)
				for _, server := range servers {
					server.Do("ACL", "SETUSER", "gate", "on", "resetpass", ">"+password, "~*", "&*", "+@all")
					server.Do("CLIENT", "KILL", "USER", "gate")
				}
			}
			change("first")
			s := openStore(t, servers[0], func(all *Options) { *all = o })
			c := newChain(t, s, "local|alice")
			for n := range 3 {
				change(fmt.Sprint("password ", n))
				mustDo(t, c.rotate(s))
			}
		})
	}
}

// R13: certificates, and the authorities that have signed them, are renewed
// while the store is in use.
func TestAuthoritiesChange(t *testing.T) {
	server := redistest.New(t)
	cert, key, pool := certificate(t, time.Hour)
	port := redistest.FreePort(t)
	server.Set("--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
	server.Run()
	var trusted atomic.Pointer[x509.CertPool] // nil while the file is being written
	trusted.Store(pool)
	s := openStore(t, server, func(o *Options) {
		o.Addresses = []string{fmt.Sprintf("127.0.0.1:%d", port)}
		o.TLS = func() (*tls.Config, error) {
			if now := trusted.Load(); now != nil {
				return &tls.Config{RootCAs: now, MinVersion: tls.VersionTLS12}, nil
			}
			return nil, errors.New("no certificate in the file")
		}
	})
	c := newChain(t, s, "local|alice")
	trusted.Store(nil)
	server.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	mustDo(t, c.rotate(s)) // as before
	cert, key, pool = certificate(t, time.Hour)
	server.Do("CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key)
	trusted.Store(pool)
	server.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	mustDo(t, c.rotate(s))
}
