package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// redisAt is the rest of a line of `store`.
func redisAt(address string) string {
	return "redis {\n address " + address + "\n timeout 500ms\n}"
}

// TestRedisStorePoolKey: the key names the data, and neither how they are
// reached nor a secret.
func TestRedisStorePoolKey(t *testing.T) {
	key := func(change func(*RedisStore)) string {
		r := &RedisStore{Addresses: []string{"10.0.0.1:6379", "10.0.0.2:6379"}, Cluster: true, log: zap.NewNop()}
		change(r)
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		if err := r.resolve(); err != nil {
			t.Fatal(err)
		}
		return r.PoolKey()
	}
	want := key(func(*RedisStore) {})
	for name, change := range map[string]func(*RedisStore){
		"order":    func(r *RedisStore) { r.Addresses = []string{"10.0.0.2:6379", "10.0.0.1:6379"} },
		"password": func(r *RedisStore) { r.Password = "secret" },
		"pool":     func(r *RedisStore) { r.PoolSize = 5 },
		"default":  func(r *RedisStore) { r.KeyPrefix = "gh:" },
	} {
		if got := key(change); got != want || strings.Contains(got, "secret") {
			t.Errorf("%s: key %q, want %q", name, got, want)
		}
	}
	for name, change := range map[string]func(*RedisStore){
		"prefix":   func(r *RedisStore) { r.KeyPrefix = "other:" },
		"server":   func(r *RedisStore) { r.Addresses = r.Addresses[:1] },
		"database": func(r *RedisStore) { r.Cluster, r.Addresses, r.Database = false, r.Addresses[:1], 1 },
	} {
		if got := key(change); got == want {
			t.Errorf("%s: the key is the same", name)
		}
	}
}

// TestRedisStoreResolves reads what stands outside of the configuration.
func TestRedisStoreResolves(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_REDIS", "10.0.0.9:6379")
	t.Setenv("GATEHOUSE_TEST_PASSWORD", "the password")
	t.Setenv("GATEHOUSE_TEST_WRONG", "redis://x")
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &RedisStore{Addresses: []string{"{env.GATEHOUSE_TEST_REDIS}"}, Password: "{env.GATEHOUSE_TEST_PASSWORD}", log: zap.NewNop()}
	if err := r.resolve(); err != nil || r.options.Addresses[0] != "10.0.0.9:6379" || r.options.Password != "the password" {
		t.Errorf("resolved %+v, %v", r.options, err)
	}
	for name, c := range map[string]struct {
		store RedisStore
		want  string
	}{
		"unset address":  {RedisStore{Addresses: []string{"{env.GATEHOUSE_TEST_NONE}"}}, "is not set"},
		"wrong address":  {RedisStore{Addresses: []string{"{env.GATEHOUSE_TEST_WRONG}"}}, "is a URL"},
		"unset password": {RedisStore{Addresses: []string{"a:1"}, Password: "{env.GATEHOUSE_TEST_NONE}"}, "is not set"},
	} {
		c.store.log = zap.NewNop()
		if err := c.store.resolve(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		tls  RedisTLS
		want string
	}{
		"no file":        {RedisTLS{CA: none + "x"}, "reading tls ca"},
		"no authorities": {RedisTLS{CA: none}, "holds no certificate"},
		"no pair":        {RedisTLS{Certificate: none, Key: none}, "reading tls certificate"},
	} {
		if _, err := c.tls.config(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestRedisGateway runs a gateway over Redis: login, refresh, reuse, an outage
// that ends by itself.
func TestRedisGateway(t *testing.T) {
	server := redistest.Start(t)
	g := startGateway(t, gatewayOptions{StoreIn: redisAt(server.Addr)})
	first := g.login()
	second := g.refresh(first.RefreshToken)
	if second.AccessToken == "" {
		t.Fatalf("refresh: %d %s", second.status, second.body)
	}
	if resp, body := g.call("/orders", second.AccessToken); resp.StatusCode != http.StatusOK {
		t.Fatalf("guarded call: %d %s", resp.StatusCode, body)
	}

	server.Stop()
	if body, status := g.tryRefresh(second.RefreshToken); status != http.StatusServiceUnavailable || strings.HasPrefix(body, "{") {
		t.Errorf("refresh without Redis: %d %s", status, body)
	}
	server.Continue()
	var third string
	eventually(t, "a refresh after the outage", func() bool {
		next, status := g.tryRefresh(second.RefreshToken) // within the leeway: Redis may have run what it was sent before
		third = next
		return status == http.StatusOK
	})

	if stolen := g.refresh(first.RefreshToken); stolen.Error != "invalid_grant" {
		t.Errorf("reuse: %d %s", stolen.status, stolen.body)
	}
	if after := g.refresh(third); after.Error != "invalid_grant" {
		t.Errorf("refresh after a reuse: %d %s", after.status, after.body)
	}
	if resp, _ := g.call("/orders", second.AccessToken); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("call after a reuse: %d, want 401", resp.StatusCode)
	}
}

// TestRedisDownAtStart: the gateway starts all the same, answers 503 and says
// so, and serves when Redis is there.
func TestRedisDownAtStart(t *testing.T) {
	server := redistest.New(t)
	g := startGateway(t, gatewayOptions{StoreIn: redisAt(server.Addr)})
	if body, status := g.tryRefresh("rt1.none"); status != http.StatusServiceUnavailable || strings.HasPrefix(body, "{") {
		t.Errorf("without Redis: %d %s", status, body)
	}
	if !strings.Contains(g.logs(), "the store is out of reach") {
		t.Error("the log does not say that the store is out of reach")
	}
	server.Run()
	eventually(t, "an answer", func() bool {
		_, status := g.tryRefresh("rt1.none")
		return status == http.StatusBadRequest
	})
	if g.login().RefreshToken == "" {
		t.Error("no login")
	}
}

// TestRedisStartFails on what an operator has to mend.
func TestRedisStartFails(t *testing.T) {
	evicting := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	locked := redistest.Start(t, "--requirepass", "secret")
	shared := redistest.Start(t)
	other := newGateway(t)
	if err := other.load(gatewayOptions{StoreIn: redisAt(shared.Addr)}); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    gatewayOptions
		want string
	}{
		"evicting":       {gatewayOptions{StoreIn: redisAt(evicting.Addr)}, "maxmemory-policy noeviction"},
		"no password":    {gatewayOptions{StoreIn: redisAt(locked.Addr)}, "configure `password`"},
		"no secret":      {gatewayOptions{StoreIn: redisAt(shared.Addr), Secret: "none"}, "oauth.stores.redis needs `secret`"},
		"wrong secret":   {gatewayOptions{StoreIn: redisAt(shared.Addr), Secret: newGatewaySecret()}, "another secret"},
		"no authorities": {gatewayOptions{StoreIn: "redis {\n address " + shared.Addr + "\n tls {\n ca /none.pem\n }\n}"}, "reading tls ca"},
	} {
		err := newGateway(t).load(c.o)
		if err != nil && strings.Contains(err.Error(), "address already in use") {
			err = newGateway(t).load(c.o) // somebody else took the port that was free
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
