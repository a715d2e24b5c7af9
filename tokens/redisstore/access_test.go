package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// TestAccess opens servers that want something of their clients.
func TestAccess(t *testing.T) {
	t.Parallel()
	const password, acl = "pass word", "user gate on >secret ~gh:* +@all -@dangerous +info"
	for _, c := range []struct {
		name     string
		settings []string
		change   func(*Options)
		want     string // in the error; "" for none
	}{
		{"password", []string{"--requirepass", password}, func(o *Options) { o.Password = password }, ""},
		{"no password", []string{"--requirepass", password}, func(*Options) {}, "configure `password`"},
		{"wrong password", []string{"--requirepass", password}, func(o *Options) { o.Password = "wrong" }, "refuses the username or the password"},
		{"needless password", nil, func(o *Options) { o.Password = password }, ""},
		{"ACL user", strings.Fields("--" + acl), func(o *Options) { o.Username, o.Password = "gate", "secret" }, ""},
		{"unknown ACL user", strings.Fields("--" + acl), func(o *Options) { o.Username, o.Password = "other", "secret" }, "refuses the username or the password"},
		{"ACL without our keys", strings.Fields("--" + acl), func(o *Options) { o.Username, o.Password, o.KeyPrefix = "gate", "secret", "other:" }, "ACL forbids"},
		{"ACL without the clock", strings.Fields("--" + acl + " -time"), func(o *Options) { o.Username, o.Password = "gate", "secret" }, "ACL forbids"},
		{"database", nil, func(o *Options) { o.Database = 7 }, ""},
		{"no such database", nil, func(o *Options) { o.Database = 99 }, "no such `database`"},
		{"evicting", []string{"--maxmemory-policy", "allkeys-lru"}, func(*Options) {}, "maxmemory-policy noeviction"},
		{"evicting, accepted", []string{"--maxmemory-policy", "allkeys-lru"}, func(o *Options) { o.AllowEviction = true }, ""},
		{"a cluster", []string{"--cluster-enabled", "yes"}, func(*Options) {}, "configure `cluster`"},
		{"no cluster", nil, func(o *Options) { o.Mode = Cluster }, "remove `cluster`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, c.settings...)
			o := Options{Addresses: []string{server.Addr}}
			c.change(&o)
			s := New(o)
			defer s.Close()
			_, err := s.Open(t.Context(), openRequest)
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want == "":
				if err := newChain(t, s, "local|alice").rotate(s); err != nil {
					t.Error(err)
				}
			case err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrUnreachable):
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

// TestWrongKind opens what is something else than configured: each error names the fix.
func TestWrongKind(t *testing.T) {
	t.Parallel()
	sentinels, plain := redistest.StartSentinels(t), redistest.Start(t)
	encrypted := func(o *Options) {
		o.TLS = func() (*tls.Config, error) { return &tls.Config{MinVersion: tls.VersionTLS12}, nil }
	}
	for _, c := range []struct {
		name    string
		options Options
		want    string
		passes  bool // as far as anybody can know
	}{
		{"an unknown name", Options{Mode: Sentinel, MasterName: "other", Addresses: sentinels.Addrs}, `no primary named "other"`, false},
		{"no sentinel", Options{Mode: Sentinel, MasterName: "gate", Addresses: []string{plain.Addr}}, "it is no sentinel", false},
		{"a sentinel", Options{Addresses: sentinels.Addrs[:1]}, "it is a sentinel: configure `sentinel <master-name>`", false},
		{"no TLS", with(Options{Addresses: []string{plain.Addr}}, encrypted), "remove `tls`", true},
		{"no TLS in a Cluster", with(Options{Mode: Cluster, Addresses: []string{plain.Addr}}, encrypted), "remove `tls`", true},
		{"no TLS at a sentinel", with(Options{Mode: Sentinel, MasterName: "gate", Addresses: sentinels.Addrs, Timeout: 4 * time.Second}, encrypted), "remove `tls`", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := New(c.options)
			defer s.Close()
			for range 2 {
				_, err := s.Open(t.Context(), openRequest)
				if err == nil || !strings.Contains(err.Error(), c.want) || !c.passes && errors.Is(err, ErrUnreachable) {
					t.Errorf("error %v, want one with %q", err, c.want)
				}
			}
		})
	}
}

func with(o Options, change func(*Options)) Options {
	change(&o)
	return o
}

// TestKeyPrefix: all keys bear the prefix, so that one Redis can serve others too.
func TestKeyPrefix(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, func(o *Options) { o.KeyPrefix = "mine:" })
	newChain(t, s, "local|alice")
	if _, err := s.EndClient(t.Context(), [8]byte{1}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SwapKeys(t.Context(), 0, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	for key := range strings.Lines(server.Do("KEYS", "*")) {
		if !strings.HasPrefix(key, "mine:") {
			t.Errorf("key %q", key)
		}
	}
}

func TestOldVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"6.2.0": true, "6.1.9": false, "5.0.14": false, "7.0.15": true, "8.2": true, "10.0.0": true, "": false, "x.y": false,
	} {
		err := checkInfo(&Options{}, map[string]string{"redis_version": version, "maxmemory_policy": "noeviction", "role": "master"})
		if (err == nil) != want {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

// TestTLS connects by TLS, and not to a server whose certificate is not good..
func TestTLS(t *testing.T) {
	for name, c := range map[string]struct {
		expires time.Duration
		trusted bool
		good    bool
	}{
		"good":     {time.Hour, true, true},
		"expired":  {-time.Hour, true, false},
		"stranger": {time.Hour, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key, pool := certificate(t, c.expires)
			server := redistest.New(t)
			port := server.Addr[strings.LastIndex(server.Addr, ":")+1:]
			server.Set("--port", "0", "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
			server.Run()
			if !c.trusted {
				pool = x509.NewCertPool()
			}
			s := New(Options{Addresses: []string{server.Addr}, TLS: func() (*tls.Config, error) {
				return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
			}})
			defer s.Close()
			_, err := s.Open(t.Context(), openRequest)
			if (err == nil) != c.good || err != nil && !strings.Contains(err.Error(), "certificate") {
				t.Errorf("opening: %v", err)
			}
		})
	}
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T, expires time.Duration) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	mustDo(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(expires), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	mustDo(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	mustDo(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	mustDo(t, os.WriteFile(certFile, certPEM, 0o600))
	mustDo(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}
