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

// redisAt is the rest of a line of `store`. A busy machine gets time.
func redisAt(address string) string {
	return "redis {\n address " + address + "\n timeout 5s\n}"
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
	g := startGateway(t, gatewayOptions{StoreIn: "redis {\n address " + server.Addr + "\n timeout 1s\n}"})
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
	if status, body := g.health(); status != http.StatusServiceUnavailable || body != "store_unavailable\n" {
		t.Errorf("health without Redis: %d %q", status, body)
	}
	if status, body := g.admin(http.MethodGet, "/oauth/stats"); status != http.StatusOK || !strings.Contains(body, `"status":"store_unavailable","cause":"opening the store at `+server.Addr) {
		t.Errorf("stats without Redis: %d %s", status, body)
	}
	server.Run()
	eventually(t, "health", func() bool { // which opens nothing itself
		status, _ := g.health()
		return status == http.StatusOK
	})
	if _, status := g.tryRefresh("rt1.none"); status != http.StatusBadRequest {
		t.Errorf("refresh with Redis: %d", status)
	}
	if g.login().RefreshToken == "" {
		t.Error("no login")
	}
}

// health asks the endpoint for load balancers.
func (g *gateway) health() (status int, body string) {
	g.t.Helper()
	resp, body := g.do(g.request(g.url("/oauth/health"), nil))
	return resp.StatusCode, body
}

// TestRedisEmptied: FLUSHALL makes a new store of it. Tokens from before are soon
// worth nothing, and operators hear of it..
func TestRedisEmptied(t *testing.T) {
	server := redistest.Start(t)
	g := startGateway(t, gatewayOptions{StoreIn: redisAt(server.Addr)})
	before := g.login()
	passes := func(token string) bool {
		resp, _ := g.call("/orders", token)
		return resp.StatusCode == http.StatusOK
	}
	if !passes(before.AccessToken) {
		t.Fatal("a fresh token does not pass")
	}
	server.Do("FLUSHALL")
	eventually(t, "the refusal of a token from before", func() bool { return !passes(before.AccessToken) })
	if dead := g.refresh(before.RefreshToken); dead.Error != "invalid_grant" {
		t.Errorf("refresh after the store was emptied: %d %s", dead.status, dead.body)
	}
	eventually(t, "a login", func() bool { // as soon as there are keys
		status, _ := g.health()
		return status == http.StatusOK && strings.Contains(g.logs(), `"store_new"`)
	})
	after := g.login()
	if !passes(after.AccessToken) || g.refresh(after.RefreshToken).AccessToken == "" {
		t.Error("after it was emptied, the store does not work")
	}
	if passes(before.AccessToken) {
		t.Error("a token from before passes again")
	}
	if !strings.Contains(g.logs(), `"level":"error"`) || !strings.Contains(g.logs(), "has lost its birth mark") {
		t.Error("the log does not say that the store was emptied")
	}
	if _, metrics := g.admin(http.MethodGet, "/metrics"); !strings.Contains(metrics, `caddy_oauth_healthy{reason=""} 1`) ||
		!strings.Contains(metrics, "caddy_oauth_clock_skew_seconds ") {
		t.Error("metrics of health are missing")
	}
}

// TestReloadChangesRedisAccess: a reload with another user takes over the store
// that is in use; one with a wrong password is refused, and the old goes on.
func TestReloadChangesRedisAccess(t *testing.T) {
	server := redistest.Start(t)
	for _, name := range []string{"before", "after"} {
		server.Do("ACL", "SETUSER", name, "on", ">password-of-"+name, "~*", "&*", "+@all")
	}
	as := func(user, password string) gatewayOptions {
		return gatewayOptions{StoreIn: "redis {\n address " + server.Addr + "\n timeout 5s\n username " + user + "\n password " + password + "\n}"}
	}
	g := startGateway(t, as("before", "password-of-before"))
	token := g.login().RefreshToken
	if err := g.load(as("after", "wrong")); err == nil || !strings.Contains(err.Error(), "refuses the username or the password") {
		t.Errorf("reload with a wrong password: %v", err)
	}
	next := g.refresh(token)
	if next.RefreshToken == "" {
		t.Fatalf("after a reload that was refused: %d %s", next.status, next.body)
	}
	if err := g.load(as("after", "password-of-after")); err != nil {
		t.Fatal(err)
	}
	server.Do("ACL", "DELUSER", "before")
	if last := g.refresh(next.RefreshToken); last.RefreshToken == "" {
		t.Errorf("after the reload: %d %s", last.status, last.body)
	}
	if status, body := g.health(); status != http.StatusOK {
		t.Errorf("health after the reload: %d %s", status, body)
	}
}

// TestRedisStartFails on what an operator has to fix.
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
		"wrong secret":   {gatewayOptions{StoreIn: redisAt(shared.Addr), Secret: NewGatewaySecret()}, "another secret"},
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

// R8, R-54: Redis's eviction policy is changed while the gateway runs.
func TestEvictionTurnedOn(t *testing.T) {
	redis := redistest.Start(t)
	g := startGateway(t, gatewayOptions{StoreIn: redisAt(redis.Addr)})
	session := g.login()
	health := func() string {
		_, body := g.do(g.request(g.url("/oauth/health"), nil))
		return strings.TrimSpace(body)
	}
	redis.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	eventually(t, "health to tell", func() bool { return health() == "store_unsafe" })
	if _, text := g.admin(http.MethodGet, "/metrics"); series(t, text, `caddy_oauth_healthy{reason="store_unsafe"}`) != 0 {
		t.Error("the metric says that all is well")
	}
	if logs := g.logs(); !strings.Contains(logs, `"level":"error"`) || !strings.Contains(logs, `"msg":"health","outcome":"store_unsafe"`) || !strings.Contains(logs, "set `maxmemory-policy noeviction`") {
		t.Error("the log has no alarm that names the fix")
	}
	if out, _ := g.ok("stats"); !strings.Contains(out, "Redis's maxmemory-policy is allkeys-lru, so it may throw") {
		t.Errorf("stats:\n%s", out)
	}
	if answer := g.refresh(session.RefreshToken); answer.AccessToken == "" {
		t.Errorf("refresh: %d %s", answer.status, answer.body)
	}
	redis.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	eventually(t, "health to be well", func() bool { return health() == "ok" })
}

// R13: a password in {file.…} is changed while the gateway runs. A reload of the
// same text does nothing, so the file is read when Redis refuses what it held.
func TestRedisPasswordInAFileChanges(t *testing.T) {
	server := redistest.Start(t)
	g := newGateway(t)
	file := filepath.Join(g.dir, "redis-password")
	change := func(password string) {
		server.Do("ACL", "SETUSER", "gate", "on", "resetpass", ">"+password, "~*", "&*", "+@all")
		server.Do("CLIENT", "KILL", "USER", "gate")
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("canary-first")
	if err := g.load(gatewayOptions{StoreIn: "redis {\n address " + server.Addr + "\n timeout 5s\n username gate\n password {file." + file + "}\n}"}); err != nil {
		t.Fatal(err)
	}
	session := g.login()
	for _, password := range []string{"canary-second", "canary-third"} {
		change(password)
		if session = g.refresh(session.RefreshToken); session.AccessToken == "" {
			t.Fatalf("refresh after the password has changed: %d %s", session.status, session.body)
		}
	}
	eventually(t, "health to be well", func() bool { status, _ := g.health(); return status == http.StatusOK })
	// H4: what is wrong with the file was said by a reload alone.
	says := func(want string) {
		t.Helper()
		eventually(t, "health to say "+want, func() bool { out, _ := g.ok("stats"); return strings.Contains(out, want) })
	}
	change("canary-fourth")
	if session = g.refresh(session.RefreshToken); session.AccessToken == "" {
		t.Fatalf("refresh after the password has changed: %d %s", session.status, session.body)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	server.Do("ACL", "SETUSER", "gate", "on", "resetpass", ">canary-fifth")
	server.Do("CLIENT", "KILL", "USER", "gate")
	unread := "refuses the username or the password: reading it again: `password`: {file." + file + "} is empty or cannot be read: check the path"
	says(unread)
	if !strings.Contains(g.logs(), unread) {
		t.Error("the log does not name the file")
	}
	refused := "`password` {file." + file + "} holds the password that was refused"
	for text, want := range map[string]string{"": unread, "canary-fourth": refused, "canary-sixth": refused} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		says(want)
	}
	change("canary-fifth")
	eventually(t, "health to be well again", func() bool { status, _ := g.health(); return status == http.StatusOK })
	if logs := g.logs(); strings.Contains(logs, "canary-second") || strings.Contains(logs, "canary-fourth") {
		t.Error("the password is in the log")
	}
}
