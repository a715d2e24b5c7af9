package redisstore

import (
	"sync"

	"github.com/redis/go-redis/v9"
)

// feedReader is the one connection over which a node reads the feed. It stands
// outside the pool, since it waits nearly always, and nobody puts another in
// its place: a connection that broke is an error, never silently a new one.
type feedReader struct {
	reading sync.Mutex // held by a read

	mu     sync.Mutex
	client *redis.Client // of one connection
	conn   *redis.Conn   // nil while there is none
	closed bool
}

// drop closes the connection, which ends a read that waits.
func (f *feedReader) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn == nil {
		return
	}
	_ = f.client.Close()
	f.client, f.conn = nil, nil
}

// close ends reading for good.
func (f *feedReader) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.drop()
}
