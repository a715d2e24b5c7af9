// Package redisstore keeps Gatehouse's state in Redis, which any number of
// gateways share: one server, one with replicas under Sentinel, or a Cluster.
//
// Each method of tokens.Store is one Lua script, which Redis runs as a whole
// (lua/, of which flatten makes flat/). All keys of one user are in one hash slot. Time is Redis's. go-redis
// sends a script again when the reply is lost; by the request's Attempt the
// second run gives the first one's answer.
//
// No key lives for ever but the watermarks of clients, the signing keys and what
// the store knows of itself: each key of a user ends with the last thing in it,
// and what has ended before is removed by one of the next writes. Nothing relies on
// that, since every decision looks at the ends itself. What a script reads of one
// user has a bound (tokens/store_bounds.go).
package redisstore

import (
	"cmp"
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
	// ReadPassword, if not nil, reads the Password anew. It is asked when a server
	// refuses the one that is known.
	ReadPassword func() (string, error)
	// PasswordFrom names the setting and the place that ReadPassword reads from, for
	// the error when the password there is refused, too.
	PasswordFrom string
	// SentinelUsername and SentinelPassword are for the sentinels themselves.
	SentinelUsername, SentinelPassword string
	// Database is the number of the database; a Cluster has only 0.
	Database int
	// TLS, if not nil, returns how connections are encrypted. It is asked at the
	// first Open and for each new connection, since it may read files, which
	// change. With an error then, connections are made as before.
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
	// WaitReplicas makes answers wait for replicas.
	WaitReplicas WaitReplicas
	// OnUnreplicated, if not nil, hears of each write that too few replicas
	// have confirmed in time.
	OnUnreplicated func()
	// OnCall, if not nil, hears of every call when it ends: its name, which is
	// of a closed set, how long it took and the store's fault, if any.
	OnCall func(op string, d time.Duration, err error)
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
	options Options                 // of New; what Reconfigure changes is in the connection's
	loaded  atomic.Pointer[scripts] // theScripts; tests put others in their place, to move the clock
	calls   atomic.Uint64           // numbers the calls: an answer that bears another number is not ours

	lifecycle sync.Mutex   // held by Open, Reconfigure and Close
	wanted    *Options     // the newest settings
	mu        sync.RWMutex // held for reading by every call under way
	conn      *connection  // nil before the first Open and after Close
	closed    bool
	opening   atomic.Pointer[opening]      // nil until an Open has succeeded
	leaseFor  time.Duration                // see moved.go
	stopAfter func(*Options) time.Duration // how long an export waits until every node has stopped
	seen      atomic.Pointer[sighting]     // of the mark of an export
	fitness   atomic.Pointer[fitness]      // of the servers; nil before they were asked again
	journal   journal
	primaries primariesSeen

	replication *replication
	serverClock atomic.Pointer[clockReading] // see late.go
	self        atomic.Value                 // the tokens.NodeMark of this process
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
	o = o.withDefaults()
	redirectLog(o.Logf)
	s := &Store{options: o, wanted: &o, leaseFor: leaseFor, replication: newReplication()}
	s.loaded.Store(theScripts)
	s.stopAfter = s.stopsWithin
	return s
}

// scripts are those that the store runs.
func (s *Store) scripts() *scripts { return s.loaded.Load() }

func (o Options) withDefaults() Options {
	if o.KeyPrefix == "" {
		o.KeyPrefix = DefaultKeyPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.WaitReplicas.Timeout == 0 {
		o.WaitReplicas.Timeout = DefaultWaitTimeout
	}
	if o.OnUnreplicated == nil {
		o.OnUnreplicated = func() {}
	}
	if o.OnCall == nil {
		o.OnCall = func(string, time.Duration, error) {}
	}
	return o
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
	err := s.run(ctx, op, run)
	s.options.OnCall(op, time.Since(start), err)
	return err
}

func (s *Store) run(ctx context.Context, op string, run func(ctx context.Context, c *connection) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		return errClosed
	case s.opening.Load() == nil:
		return errNotOpen
	}
	return s.neverSent(s.within(ctx, s.conn, func(ctx context.Context, c *connection) error {
		if !readers[op] {
			if err := s.mayWrite(); err != nil {
				return err
			}
			if err := s.mayDecide(ctx, c); err != nil {
				return err
			}
		}
		return run(ctx, c)
	}))
}

// neverSent marks the error of a call that a breaker has refused. In a Cluster it
// may have been sent to another server before.
func (s *Store) neverSent(err error) error {
	var refused *unansweredError
	if errors.As(err, &refused) && s.options.Mode != Cluster {
		return tokens.EndedNothing(err)
	}
	return err
}

// within runs something under the deadline of a call and explains its error.
func (s *Store) within(ctx context.Context, c *connection, run func(ctx context.Context, c *connection) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("calling the store: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, c.options.longestCall())
	defer cancel()
	return s.explain(ctx, c.named(run(limited, c)))
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

// lasting runs a script without an answer and keeps it for the case of a failover.
func (s *Store) lasting(ctx context.Context, op string, sc *script, keys []string, args ...any) error {
	_, err := s.decide(ctx, op, sc, keys, args...)
	if committed(err) {
		s.journal.add(sc, keys, args...)
	}
	return err
}

// eval sends a script and checks that the answer is to this call. With an error
// that is committed, the answer comes beside it.
func (s *Store) eval(ctx context.Context, c *connection, sc *script, keys []string, args ...any) (answer, error) {
	number, start, spends := s.calls.Add(1), time.Now(), s.scripts().spends(sc)
	all := make([]any, 0, len(args)+1)
	all = append(append(all, number), args...)
	if spends {
		all[0] = s.until(ctx, c, number, s.serverClock.Load())
	}
	v, err := s.send(ctx, c, sc, keys, all)
	if clock := foundLate(v); clock != nil { // and yet somebody waits: its clock is another one
		all[0] = s.until(ctx, c, number, clock)
		v, err = s.send(ctx, c, sc, keys, all)
	}
	if !committed(err) {
		if spends && !isUnreplicated(err) {
			outlast(ctx, c, start)
		}
		return answer{}, err
	}
	a, unread := readAnswer(v, number)
	return a, cmp.Or(unread, err)
}

// send sends a script, and waits for replicas where they are to have what it writes.
func (s *Store) send(ctx context.Context, c *connection, sc *script, keys []string, args []any) ([]any, error) {
	if c.options.WaitReplicas.Number > 0 && s.scripts().lasting(sc) {
		return s.sendLasting(ctx, c, sc, keys, args)
	}
	return runAnywhere(ctx, c.client, sc, keys, args)
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
