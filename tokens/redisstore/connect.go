package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

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
