package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// connection is the client with its breakers and the watch.
type connection struct {
	options  *Options // that it was made with
	client   redis.UniversalClient
	breakers *breakers
	access   *credentials
	stop     context.CancelFunc
	watches  sync.WaitGroup
	feed     feedReader
	tls      *tlsDialer // nil without TLS
	waits    turns      // of the calls that wait for replicas

	newNode func(*redis.Options) *redis.Client // of a Cluster
	mu      sync.Mutex
	made    []*redis.Client // by serverAt
}

// close ends the watch and the client.
func (c *connection) close() error {
	c.stop()
	c.feed.close()
	c.watches.Wait()
	err := c.client.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, server := range c.made {
		_ = server.Close()
	}
	return err
}

// retries is how often go-redis sends a script again when a connection breaks.
// Every script is idempotent. More would be no use within the timeout.
const retries = 2

// dialer makes connections; nil for go-redis's own.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// connect makes the client. It touches no network.
func (s *Store) connect(o *Options, encryption *tls.Config) *connection {
	c := &connection{options: o, access: newCredentials(o)}
	c.breakers = &breakers{options: o, access: c.access}
	var dial dialer
	if encryption != nil {
		c.tls = newTLSDialer(o, encryption)
		dial = c.tls.dial
	}
	switch o.Mode {
	case Cluster:
		c.newNode = func(node *redis.Options) *redis.Client {
			node.OnConnect = s.meetAt(node.Addr)
			client := redis.NewClient(node)
			c.breakers.guard(node.Addr, client)
			return client
		}
		c.client = redis.NewClusterClient(s.clusterOptions(c, dial))
	case Sentinel:
		client := redis.NewFailoverClient(s.sentinelOptions(c, dial))
		c.breakers.guard(o.MasterName, client)
		c.client = client
	default:
		client := redis.NewClient(s.serverOptions(c, dial))
		c.breakers.guard(o.Addresses[0], client)
		c.client = client
	}
	living, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.watches.Go(background.Safely(s.recovered, func() { background.Keep(living, s.recovered, func(ctx context.Context) { s.watch(ctx, c) }) }))
	if o.WaitReplicas.Number > 0 {
		c.watches.Go(background.Safely(s.recovered, func() { background.Keep(living, s.recovered, func(ctx context.Context) { s.watchReplicas(ctx, c) }) }))
	}
	return c
}

// meetAt looks at the server of each new connection before it is used.
func (s *Store) meetAt(place string) func(context.Context, *redis.Conn) error {
	return func(ctx context.Context, conn *redis.Conn) error {
		return background.Try(func() error { return s.meet(ctx, place, conn) }) // go-redis may be making it in a goroutine of its own
	}
}

// Of one call's time, an attempt may take a half, so that a broken connection
// leaves time for another. go-redis's own times are those of a batch job:
// seconds, five dials a second apart, and contexts that do not count.
func (o *Options) attemptTimeout() time.Duration { return o.Timeout / 2 }

// handshakeTimeout is shorter than go-redis's own, which begin earlier (by a
// sentinel, twice) and would be up before a handshake can say why it has failed.
func (o *Options) handshakeTimeout() time.Duration { return o.attemptTimeout() * 4 / 5 }

// redirections is how often a call may be sent elsewhere or again in a Cluster:
// while a slot moves, each attempt can be two. What is moving by then is sent again
// for as long as the call has time.
const redirections = 8

// Between two attempts is reconnectPause at first, and never more than longestPause.
const (
	reconnectPause = 5 * time.Millisecond
	longestPause   = 10 * reconnectPause
)

func (o *Options) poolSize() int {
	return cmp.Or(o.PoolSize, 10*runtime.GOMAXPROCS(0))
}

func (s *Store) serverOptions(c *connection, dial dialer) *redis.Options {
	o := c.options
	return &redis.Options{
		Addr: o.Addresses[0], CredentialsProviderContext: c.access.provide, DB: o.Database, Dialer: dial,
		Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaxRetries: retries, MinRetryBackoff: reconnectPause, MaxRetryBackoff: longestPause,
		DialTimeout: o.attemptTimeout(), DialerRetries: 1,
		ReadTimeout: o.attemptTimeout() + o.waitFor(), WriteTimeout: o.attemptTimeout(),
		PoolSize: o.poolSize(), PoolTimeout: o.Timeout, OnConnect: s.meetAt(anywhere),
		MaintNotificationsConfig: noNotifications,
	}
}

func (s *Store) sentinelOptions(c *connection, dial dialer) *redis.FailoverOptions {
	o := c.options
	return &redis.FailoverOptions{
		MasterName: o.MasterName, SentinelAddrs: o.Addresses,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		CredentialsProviderContext: c.access.provide, DB: o.Database, Dialer: dial,
		Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaxRetries: retries, MinRetryBackoff: reconnectPause, MaxRetryBackoff: longestPause,
		DialTimeout: o.attemptTimeout(), DialerRetries: 1,
		ReadTimeout: o.attemptTimeout() + o.waitFor(), WriteTimeout: o.attemptTimeout(),
		PoolSize: o.poolSize(), PoolTimeout: o.Timeout, OnConnect: s.meetAt(anywhere),
	}
}

func (s *Store) clusterOptions(c *connection, dial dialer) *redis.ClusterOptions {
	o := c.options
	return &redis.ClusterOptions{
		Addrs: o.Addresses, NewClient: c.newNode,
		CredentialsProviderContext: c.access.provide, Dialer: dial,
		Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
		MaxRedirects: redirections, MinRetryBackoff: reconnectPause, MaxRetryBackoff: longestPause,
		DialTimeout: o.attemptTimeout(), DialerRetries: 1,
		ReadTimeout: o.attemptTimeout() + o.waitFor(), WriteTimeout: o.attemptTimeout(),
		PoolSize: o.poolSize(), PoolTimeout: o.Timeout,
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
