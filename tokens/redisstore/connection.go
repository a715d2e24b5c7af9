package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
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

// noNotifications: the protocol is RESP2, which has none.
var noNotifications = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// named adds to an error of a call that no handshake succeeds, unless a server has answered.
func (c *connection) named(err error) error {
	var (
		answered redis.Error
		itself   *handshakeError
	)
	if err == nil || c.tls == nil || errors.As(err, &answered) || errors.As(err, &itself) {
		return err
	}
	if failed := c.tls.failed.Load(); failed != nil {
		return fmt.Errorf("%w: %w", failed, err)
	}
	return err
}
