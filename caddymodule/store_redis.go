package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func init() {
	caddy.RegisterModule(new(RedisStore))
}

// RedisStore keeps everything in Redis 6.2 or newer, or in a compatible server. Any number of
// gateways can share it. It can be a single server, a primary that Sentinel appoints, or a
// Cluster. All gateways need the same `secret`.
//
// Redis must be set to `maxmemory-policy noeviction`. While Redis cannot be reached, tokens
// cannot be issued or refreshed, and the gateway answers 503.
type RedisStore struct {
	// The addresses, each `host:port`: of the server, of the sentinels with `sentinel`, or of
	// some nodes with `cluster`. Default: none; at least one is required.
	Addresses []string `json:"addresses,omitempty"`

	// Whether it is a Redis Cluster. Default: false
	Cluster bool `json:"cluster,omitempty"`

	// The sentinels' name for the primary. Default: none, Sentinel is not used.
	Sentinel string `json:"sentinel,omitempty"`

	// The ACL user. Default: Redis's default user.
	Username string `json:"username,omitempty"`

	// The password, preferably as `{env.NAME}` or `{file.PATH}`. A file is read again when
	// Redis refuses the password. Default: none.
	Password string `json:"password,omitempty"`

	// The user for the sentinels themselves. Default: their default user.
	SentinelUsername string `json:"sentinel_username,omitempty"`

	// The password for the sentinels themselves, preferably as `{env.NAME}` or `{file.PATH}`.
	// It is read when the configuration is loaded. Default: none.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// The number of the database; a Cluster has only 0. Default: 0
	Database int `json:"database,omitempty"`

	// How connections are encrypted. Default: not at all.
	TLS *RedisTLS `json:"tls,omitempty"`

	// The prefix of all keys, so that other applications can use the same Redis. A long prefix
	// costs memory for every user. Default: `gh:`
	KeyPrefix string `json:"key_prefix,omitempty"`

	// The number of connections to each server. Default: 10 for each CPU.
	PoolSize int `json:"pool_size,omitempty"`

	// The maximum time that one call can take, including retries. Default: 1s
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Whether responses wait for replicas. Default: they do not.
	WaitReplicas *RedisWait `json:"wait_replicas,omitempty"`

	// Whether to accept a Redis that can evict keys when memory is short. Sessions then end
	// early, and revocations are forgotten. Default: false
	AllowEviction bool `json:"allow_eviction,omitempty"`

	log       *zap.Logger
	addresses []string // without placeholders
	options   redisstore.Options
}

// CaddyModule returns the Caddy module information.
func (*RedisStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth.stores.redis",
		New: func() caddy.Module { return new(RedisStore) },
	}
}

// Provision checks the settings and reads passwords. It connects to nothing and
// opens no file of TLS.
func (r *RedisStore) Provision(ctx caddy.Context) error {
	r.log = ctx.Logger()
	if err := grammar.Within(redisBlock, r.Check()); err != nil {
		return err
	}
	if err := r.resolve(); err != nil {
		return fmt.Errorf("%s: %w", redisBlock, err)
	}
	return nil
}

// redisBlock names the store in errors.
const redisBlock = "store redis"

// Check finds what the text shows to be wrong.
func (r *RedisStore) Check() error {
	return grammar.FirstOf(r.checkAddresses, r.checkMode, r.checkAccess, r.checkLimits, r.WaitReplicas.Check)
}

func (r *RedisStore) checkAddresses() error {
	if len(r.Addresses) == 0 {
		return grammar.Wrong("", "it has no address: write `address <host>:<port>`")
	}
	for i, address := range r.Addresses {
		if slices.Contains(r.Addresses[:i], address) {
			return grammar.WrongValue("address", address, "is a duplicate: name each server once")
		}
		if grammar.IsPlaceholder(address) {
			continue
		}
		if err := checkRedisAddress(address); err != nil {
			return err
		}
	}
	if len(r.Addresses) > 1 && !r.Cluster && r.Sentinel == "" {
		return grammar.Wrong("address", "there are several: add `cluster`, or `sentinel <master-name>`, or keep one")
	}
	return nil
}

func checkRedisAddress(address string) error {
	if strings.Contains(address, "://") {
		return grammar.WrongValue("address", address, "is a URL: write <host>:<port>, and `tls`, `username`, `password` and `database` as options")
	}
	host, port, err := net.SplitHostPort(address)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
		return grammar.WrongValue("address", address, "is not an address: write <host>:<port>, such as 10.0.0.1:6379")
	}
	return nil
}

func (r *RedisStore) checkMode() error {
	switch {
	case r.Cluster && r.Sentinel != "":
		return grammar.Wrong("sentinel", "a Cluster has no sentinels: keep one of `cluster` and `sentinel`")
	case r.Cluster && r.Database != 0:
		return grammar.Wrong("database", "a Cluster has only database 0: remove the line, and use `key_prefix` to share it")
	case r.Database < 0:
		return grammar.Wrong("database", "%d is no number of a database: write 0 or more", r.Database)
	}
	return nil
}

func (r *RedisStore) checkAccess() error {
	for _, access := range []struct{ option, username, password string }{
		{"", r.Username, r.Password}, {"sentinel_", r.SentinelUsername, r.SentinelPassword},
	} {
		switch {
		case access.username != "" && access.password == "":
			return grammar.Wrong(access.option+"username", "it has no password: write `%spassword {env.NAME}`", access.option)
		case grammar.HasPlaceholder(access.password):
			return grammar.Wrong(access.option+"password", "it holds a placeholder among other text: write {env.NAME} or {file.PATH} alone")
		case access.option != "" && access.password != "" && r.Sentinel == "":
			return grammar.Wrong(access.option+"password", "there are no sentinels: add `sentinel <master-name>`, or remove the line")
		}
	}
	if t := r.TLS; t != nil && (t.Certificate == "") != (t.Key == "") {
		return grammar.Within("tls", grammar.Wrong("", "a certificate needs its key: write both `certificate` and `key`, or none"))
	}
	return nil
}

// The limits of RedisStore.
const (
	maxKeyPrefix    = 64
	minRedisTimeout = 50 * time.Millisecond
	maxRedisTimeout = 30 * time.Second
	maxPoolSize     = 10_000
)

func (r *RedisStore) checkLimits() error {
	odd := func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`{}*?[]\`, c) }
	switch timeout := time.Duration(r.Timeout); {
	case strings.ContainsFunc(r.KeyPrefix, odd):
		return grammar.Wrong("key_prefix", "%q has a character that means something in keys and patterns: take letters, digits, and : - _ .", r.KeyPrefix)
	case len(r.KeyPrefix) > maxKeyPrefix:
		return grammar.Wrong("key_prefix", "it has %d bytes, and each user costs as many: take at most %d", len(r.KeyPrefix), maxKeyPrefix)
	case r.PoolSize < 0 || r.PoolSize > maxPoolSize:
		return grammar.Wrong("pool_size", "%d is out of range: take 1 to %d", r.PoolSize, maxPoolSize)
	case timeout != 0 && (timeout < minRedisTimeout || timeout > maxRedisTimeout):
		return grammar.Wrong("timeout", "%s is out of range: take %s to %s", grammar.ShowDuration(timeout), grammar.ShowDuration(minRedisTimeout), grammar.ShowDuration(maxRedisTimeout))
	}
	return nil
}

// resolve replaces placeholders and reads the files of TLS.
func (r *RedisStore) resolve() error {
	r.addresses = make([]string, len(r.Addresses))
	for i, address := range r.Addresses {
		resolved, err := grammar.Resolve(address)
		if err != nil {
			return fmt.Errorf("address: %w", err)
		}
		if err := checkRedisAddress(resolved); err != nil {
			return err
		}
		r.addresses[i] = resolved
	}
	r.options = redisstore.Options{
		Addresses: r.addresses, MasterName: r.Sentinel, Username: r.Username, SentinelUsername: r.SentinelUsername,
		Database: r.Database, KeyPrefix: r.KeyPrefix, PoolSize: r.PoolSize, Timeout: time.Duration(r.Timeout), AllowEviction: r.AllowEviction,
		WaitReplicas: r.WaitReplicas.core(),
	}
	switch {
	case r.Cluster:
		r.options.Mode = redisstore.Cluster
	case r.Sentinel != "":
		r.options.Mode = redisstore.Sentinel
	}
	for _, secret := range []struct {
		option, value string
		target        *string
	}{{"password", r.Password, &r.options.Password}, {"sentinel_password", r.SentinelPassword, &r.options.SentinelPassword}} {
		if secret.value != "" && !grammar.IsPlaceholder(secret.value) {
			r.log.Warn("store redis: a password is written out in the configuration and in what it is adapted to: use {env.NAME} or {file.PATH}")
		}
		value, err := grammar.Resolve(secret.value)
		if err != nil {
			return fmt.Errorf("%s: %w", secret.option, err)
		}
		*secret.target = value
	}
	if strings.HasPrefix(r.Password, "{file.") {
		r.options.ReadPassword = func() (string, error) {
			password, err := grammar.Resolve(r.Password)
			if err != nil {
				return "", fmt.Errorf("`password`: %w", err)
			}
			return password, nil
		}
		r.options.PasswordFrom = "`password` " + r.Password
	}
	if r.TLS != nil {
		r.options.TLS = r.TLS.config
	}
	return nil
}

// PoolKey names the data: the servers, whatever their order, the database and the prefix.
func (r *RedisStore) PoolKey() string {
	addresses := slices.Sorted(slices.Values(r.addresses))
	prefix := cmp.Or(r.KeyPrefix, redisstore.DefaultKeyPrefix)
	return fmt.Sprintf("redis:%s/%s/%d/%s", strings.Join(addresses, ","), r.Sentinel, r.Database, prefix)
}

// SecretFile returns "": gateways that share a Redis share a secret, which the operator makes.
func (*RedisStore) SecretFile() string { return "" }

// NewStore makes the store over the servers.
func (r *RedisStore) NewStore(onCall storeCall) storage.Store {
	o := r.options
	o.OnCall = onCall
	o.OnUnreplicated = events.Process.WriteUnreplicated
	o.Logf = r.log.Sugar().Debugf
	return redisstore.New(o)
}

// Apply changes how a store is reached that another configuration has made.
func (r *RedisStore) Apply(ctx context.Context, store storage.Store) error {
	redis, ok := store.(*redisstore.Store)
	if !ok {
		return fmt.Errorf("%s: the store in use is a %T", redisBlock, store)
	}
	if err := redis.Reconfigure(ctx, r.options); err != nil {
		return fmt.Errorf("%s: %w", redisBlock, err)
	}
	return nil
}

// Interface guards
var (
	_ StoreModule       = (*RedisStore)(nil)
	_ caddy.Provisioner = (*RedisStore)(nil)
)
