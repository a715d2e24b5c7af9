package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// connection is the client with its breakers and the watch.
type connection struct {
	client   redis.UniversalClient
	breakers *breakers
	stop     context.CancelFunc
	done     chan struct{} // closed when the watch has ended
}

// close ends the watch and the client.
func (c *connection) close() error {
	c.stop()
	<-c.done
	return c.client.Close()
}

// retries is how often go-redis sends a script again when a connection breaks.
// Every script is idempotent. More would be no use within the timeout.
const retries = 2

// connect makes the client. It touches no network.
func (s *Store) connect(encryption *tls.Config) *connection {
	c := &connection{breakers: &breakers{limit: s.options.Timeout}, done: make(chan struct{})}
	switch o := s.options; o.Mode {
	case Cluster:
		c.client = redis.NewClusterClient(s.clusterOptions(encryption, func(node *redis.Options) *redis.Client {
			client := redis.NewClient(node)
			c.breakers.guard(node.Addr, client)
			return client
		}))
	case Sentinel:
		client := redis.NewFailoverClient(s.sentinelOptions(encryption))
		c.breakers.guard(o.MasterName, client)
		c.client = client
	default:
		client := redis.NewClient(s.serverOptions(encryption))
		c.breakers.guard(o.Addresses[0], client)
		c.client = client
	}
	background, stop := context.WithCancel(context.Background())
	c.stop = stop
	go s.watch(background, c)
	return c
}

// Of one call's time, an attempt may take a half, so that a broken connection
// leaves time for another. go-redis's own times are those of a batch job:
// seconds, five dials a second apart, and contexts that do not count.
func (s *Store) attemptTimeout() time.Duration { return s.options.Timeout / 2 }

// redirections is how often a call may be sent elsewhere or again in a Cluster:
// while a slot moves, each attempt can be two.
const redirections = 8

// reconnectPause is between two attempts.
const reconnectPause = 5 * time.Millisecond

func (s *Store) poolSize() int {
	return cmp.Or(s.options.PoolSize, 10*runtime.GOMAXPROCS(0))
}

func (s *Store) serverOptions(encryption *tls.Config) *redis.Options {
	o := &s.options
	return &redis.Options{
		Addr: o.Addresses[0], Username: o.Username, Password: o.Password, DB: o.Database, TLSConfig: encryption,
		Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaxRetries: retries, MinRetryBackoff: reconnectPause, MaxRetryBackoff: 10 * reconnectPause,
		DialTimeout: s.attemptTimeout(), DialerRetries: 1,
		ReadTimeout: s.attemptTimeout(), WriteTimeout: s.attemptTimeout(),
		PoolSize: s.poolSize(), PoolTimeout: o.Timeout,
		MaintNotificationsConfig: noNotifications,
	}
}

func (s *Store) sentinelOptions(encryption *tls.Config) *redis.FailoverOptions {
	o := &s.options
	return &redis.FailoverOptions{
		MasterName: o.MasterName, SentinelAddrs: o.Addresses,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		Username: o.Username, Password: o.Password, DB: o.Database, TLSConfig: encryption,
		Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaxRetries: retries, MinRetryBackoff: reconnectPause, MaxRetryBackoff: 10 * reconnectPause,
		DialTimeout: s.attemptTimeout(), DialerRetries: 1,
		ReadTimeout: s.attemptTimeout(), WriteTimeout: s.attemptTimeout(),
		PoolSize: s.poolSize(), PoolTimeout: o.Timeout,
	}
}

func (s *Store) clusterOptions(encryption *tls.Config, newNode func(*redis.Options) *redis.Client) *redis.ClusterOptions {
	o := &s.options
	return &redis.ClusterOptions{
		Addrs: o.Addresses, NewClient: newNode,
		Username: o.Username, Password: o.Password, TLSConfig: encryption,
		Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaxRedirects: redirections, MinRetryBackoff: reconnectPause, MaxRetryBackoff: 10 * reconnectPause,
		DialTimeout: s.attemptTimeout(), DialerRetries: 1,
		ReadTimeout: s.attemptTimeout(), WriteTimeout: s.attemptTimeout(),
		PoolSize: s.poolSize(), PoolTimeout: o.Timeout,
		FailingTimeoutSeconds: 1, ClusterStateReloadInterval: 10 * time.Second,
		MaintNotificationsConfig: noNotifications,
	}
}

// noNotifications: the protocol is RESP2, which has none.
var noNotifications = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// logged is what go-redis logs to; nil for nothing.
var logged atomic.Pointer[func(format string, args ...any)]

// logTo passes go-redis's log on. What it writes to standard error by itself is
// no use to an operator: each error reaches a caller too.
type logTo struct{}

// Printf implements logging of go-redis.
func (logTo) Printf(_ context.Context, format string, args ...any) {
	if f := logged.Load(); f != nil {
		(*f)("go-redis: "+format, args...)
	}
}

func init() {
	redis.SetLogger(logTo{})
}

// redirectLog gives go-redis's log, which belongs to the process, to the newest store.
func redirectLog(logf func(format string, args ...any)) {
	if logf != nil {
		logged.Store(&logf)
	}
}

// unansweredError is the answer of a breaker. It does not unwrap to what broke the
// connection: go-redis would try again.
type unansweredError struct {
	address, cause string
}

func (e *unansweredError) Error() string {
	return fmt.Sprintf("%s did not answer and is not asked until it does: %s", e.address, e.cause)
}
