package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// route is where a script is sent that has to be followed by WAIT on the same
// connection: the client of a Cluster, which finds the way by itself, can't do that.
type route struct {
	server *redis.Client
	asking bool // its slot is on the way there, and the server before has said so (ASK)
}

// redirections is how often a call may be sent elsewhere or again in a Cluster:
// while a slot moves, each attempt can be two. What is moving by then is sent again
// for as long as the call has time.
const redirections = 8

// Between two attempts is reconnectPause at first, and never more than longestPause.
const (
	reconnectPause = 5 * time.Millisecond
	longestPause   = 10 * reconnectPause
)

// moving reports whether a script was not run since its slot is on the way: its keys
// lie on two servers, or each says that the other one has them. How long that lasts
// is up to who moves them.
func moving(err error) bool {
	return redis.HasErrorPrefix(err, "TRYAGAIN") ||
		slices.ContainsFunc(redirects, func(prefix string) bool { return redis.HasErrorPrefix(err, prefix) })
}

// runAnywhere runs a script where its slot is: in a Cluster, while that is on the
// way, for as long as the call has time.
func runAnywhere(ctx context.Context, client redis.UniversalClient, sc *script, keys []string, args []any) ([]any, error) {
	_, cluster := client.(*redis.ClusterClient)
	for {
		v, err := sc.Run(ctx, client, keys, args...).Slice()
		if err == nil || !cluster || !moving(err) {
			return v, err
		}
		select {
		case <-time.After(longestPause):
		case <-ctx.Done():
			return v, err
		}
	}
}

// serverOf returns the client of the server where a key lies.
func serverOf(ctx context.Context, client redis.UniversalClient, key string) (*redis.Client, error) {
	switch client := client.(type) {
	case *redis.Client:
		return client, nil
	case *redis.ClusterClient:
		return client.MasterForKey(ctx, key)
	}
	return nil, fmt.Errorf("finding the server of a key: unknown client %T", client)
}

// placeOf names the place of a server: see Store.meet.
func (c *connection) placeOf(server *redis.Client) string {
	if c.options.Mode == Cluster {
		return server.Options().Addr
	}
	return anywhere
}

// reroute returns where a script goes next that was not run, in a Cluster: to the
// server that was named, or, where none answers or the one that does has to pass,
// to the server of the slot now. Each script can be sent twice. Any other client
// has done what can be done.
func (c *connection) reroute(ctx context.Context, from route, key string, err error) (to route, again bool) {
	if c.options.Mode != Cluster || ctx.Err() != nil {
		return from, false
	}
	if addr, ok := redis.IsAskError(err); ok {
		return route{server: c.serverAt(addr, from.server), asking: true}, true
	}
	reloadCluster(ctx, c.client)
	if addr, ok := redis.IsMovedError(err); ok {
		return route{server: c.serverAt(addr, from.server)}, true
	}
	var (
		answered redis.Error
		refused  *unansweredError
	)
	switch {
	case errors.Is(err, redis.ErrClosed):
		c.breakers.forget(from.server)
	case errors.As(err, &refused):
		return from, false
	case errors.As(err, &answered) && !slices.ContainsFunc(passing, func(prefix string) bool { return redis.HasErrorPrefix(err, prefix) }):
		return from, false
	}
	server, err := serverOf(ctx, c.client, key)
	return route{server: server}, err == nil
}

// serverAt returns the client of a server that another one has named. One that
// serves no slot yet is unknown to the cluster's client.
func (c *connection) serverAt(named string, by *redis.Client) *redis.Client {
	o := *by.Options()
	host, _, _ := net.SplitHostPort(o.Addr)
	if i := strings.LastIndexByte(named, ':'); i > 0 { // else the host is the same
		host = strings.Trim(named[:i], "[]")
	}
	o.Addr = net.JoinHostPort(host, named[strings.LastIndexByte(named, ':')+1:])
	o.MaintNotificationsConfig = noNotifications
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.breakers.client(o.Addr); known != nil {
		return known
	}
	made := c.newNode(&o)
	c.made = append(c.made, made)
	return made
}

// reloadCluster looks up which server has which slots: another node may have taken over
// from the one that is gone.
func reloadCluster(ctx context.Context, client redis.UniversalClient) {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}
