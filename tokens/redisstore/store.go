// Package redisstore keeps Gatehouse's state in Redis, which any number of
// gateways share: one server, one with replicas under Sentinel, or a Cluster.
//
// Each method of tokens.Store is one Lua script, which Redis runs as a whole
// (lua/). All keys of one user are in one hash slot. Time is Redis's. go-redis
// sends a script again when the reply is lost; by the request's Attempt the
// second run gives the first one's answer.
//
// No key lives for ever but the grants, the watermarks of clients, the signing
// keys and what the store knows of itself: each key of a user ends with the
// last thing in it, and what has ended before is removed by the next write.
// Nothing relies on that, since every decision looks at the ends itself.
package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// Mode is how the servers belong together.
type Mode uint8

// The modes.
const (
	Standalone Mode = iota // one server
	Sentinel               // one that Sentinel appoints; the addresses are the sentinels'
	Cluster                // Redis Cluster; the addresses are some of its nodes
)

// Options configure a Store.
type Options struct {
	// Addresses of the servers, each host:port. One with Standalone, several
	// with Sentinel and Cluster.
	Addresses []string
	Mode      Mode
	// MasterName is the name of the primary, with Sentinel.
	MasterName string
	// Username and Password of an ACL user; no Username is Redis's default user.
	Username, Password string
	// SentinelUsername and SentinelPassword are for the sentinels themselves.
	SentinelUsername, SentinelPassword string
	// Database is the number of the database; a Cluster has only 0.
	Database int
	// TLS, if not nil, returns how connections are encrypted. It is asked at the
	// first Open, since it may read files.
	TLS func() (*tls.Config, error)
	// KeyPrefix leads every key; "" for DefaultKeyPrefix. A long one costs
	// memory for every user.
	KeyPrefix string
	// PoolSize is the number of connections to each server; 0 for 10 for each CPU.
	PoolSize int
	// Timeout is the longest that one call takes, retries included; 0 for DefaultTimeout.
	Timeout time.Duration
	// AllowEviction opens a store whose Redis may throw keys away when memory
	// is short. Sessions end and revocations are forgotten by it.
	AllowEviction bool
	// OnCall, if not nil, hears of every call when it ends: its name, which is
	// of a closed set, how long it took and the store's fault, if any.
	OnCall func(op string, d time.Duration, err error)
	// OnBirth, if not nil, hears when the store has lost its birth mark while
	// it was open (FLUSHALL), so that tokens issued until then are worth nothing.
	OnBirth func(born time.Time)
	// Logf, if not nil, gets what go-redis has to say. Its logger belongs to
	// the whole process: the newest store's Logf gets it all.
	Logf func(format string, args ...any)
}

// The defaults of Options.
const (
	DefaultKeyPrefix = "gh:"
	DefaultTimeout   = time.Second
)

// Store is a tokens.Store in Redis. The methods are safe for concurrent use.
type Store struct {
	options Options
	scripts *scripts
	calls   atomic.Uint64 // numbers the calls: an answer that bears another number is not ours

	lifecycle sync.Mutex   // held by Open and Close
	mu        sync.RWMutex // held for reading by every call under way
	conn      *connection  // nil before the first Open and after Close
	closed    bool
	opening   atomic.Pointer[opening] // nil until an Open has succeeded
}

var _ tokens.Store = (*Store)(nil)

// opening is what the store was opened with, and the answer.
type opening struct {
	request tokens.OpenRequest
	result  tokens.OpenResult
}

var (
	errNotOpen = errors.New("calling the store: it has not been opened")
	errClosed  = errors.New("calling the store: it is closed")
)

// New returns a store that is not open. It touches no network.
func New(o Options) *Store {
	if o.KeyPrefix == "" {
		o.KeyPrefix = DefaultKeyPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.OnCall == nil {
		o.OnCall = func(string, time.Duration, error) {}
	}
	if o.OnBirth == nil {
		o.OnBirth = func(time.Time) {}
	}
	redirectLog(o.Logf)
	return &Store{options: o, scripts: theScripts}
}

// Close implements tokens.Store. A store that was closed can't be opened again.
func (s *Store) Close() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.mu.Lock() // waits for the calls under way
	c := s.conn
	s.conn, s.closed = nil, true
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	if err := c.close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// call runs one method within the deadline.
func (s *Store) call(ctx context.Context, op string, run func(ctx context.Context, c *connection) error) error {
	start := time.Now()
	err := s.run(ctx, run)
	s.options.OnCall(op, time.Since(start), err)
	return err
}

func (s *Store) run(ctx context.Context, run func(ctx context.Context, c *connection) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		return errClosed
	case s.opening.Load() == nil:
		return errNotOpen
	}
	return s.within(ctx, s.conn, run)
}

// within runs something under the deadline of a call and explains its error.
func (s *Store) within(ctx context.Context, c *connection, run func(ctx context.Context, c *connection) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("calling the store: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return s.explain(ctx, run(limited, c))
}

// decide runs one script.
func (s *Store) decide(ctx context.Context, op string, sc *script, keys []string, args ...any) (answer, error) {
	var a answer
	err := s.call(ctx, op, func(ctx context.Context, c *connection) (err error) {
		a, err = s.eval(ctx, c, sc, keys, args...)
		return err
	})
	return a, err
}

// eval sends a script and checks that the answer is to this call.
func (s *Store) eval(ctx context.Context, c *connection, sc *script, keys []string, args ...any) (answer, error) {
	number := s.calls.Add(1)
	all := make([]any, 0, len(args)+1)
	all = append(append(all, number), args...)
	v, err := sc.Run(ctx, c.client, keys, all...).Slice()
	if err != nil {
		return answer{}, err
	}
	return readAnswer(v, number)
}

// grace is for how long a user's profile is kept when his last session and
// family are over: access tokens may live longer, and userinfo answers to them.
func (s *Store) grace() int64 {
	o := s.opening.Load()
	if o == nil {
		return 0 // and the call will fail
	}
	return millis(o.result.TokenLifetime + time.Minute)
}
