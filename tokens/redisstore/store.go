// Package redisstore keeps Gatehouse's state in Redis, which any number of
// gateways share: one server, one with replicas under Sentinel, or a Cluster.
//
// Each method of storage.Store is one Lua script, which Redis runs as a whole
// (lua/, of which flatten makes flat/). All keys of one user are in one hash slot.
// Time is Redis's. go-redis sends a script again when the reply is lost; by the
// request's Attempt the second run gives the first one's answer.
//
// No key lives forever but the watermarks of clients, the signing keys and what
// the store knows of itself: each key of a user ends with the last thing in it,
// and what has ended before is removed by one of the next writes. Nothing relies on
// that, since every decision looks at the ends itself. What a script reads of one
// user has a bound (tokens/storage/bounds.go).
package redisstore

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Store is a storage.Store in Redis. The methods are safe for concurrent use.
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
	leaseFor  time.Duration                // see known.go
	stopAfter func(*Options) time.Duration // how long an export waits until every node has stopped
	seen      atomic.Pointer[sighting]     // of the mark of an export
	fitness   atomic.Pointer[fitness]      // of the servers; nil before they were asked again
	journal   journal
	primaries primariesSeen

	replication *replication
	serverClock atomic.Pointer[clockReading] // of the last beat: see late.go
	self        atomic.Value                 // the storage.NodeMark of this process
}

var _ storage.Store = (*Store)(nil)

var (
	errNotOpen = errors.New("calling the store: it has not been opened")
	errClosed  = errors.New("calling the store: it is closed")
)

// recovered reports a panic that was caught in the background.
func (s *Store) recovered(err error) { s.options.recovered(err) }

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

// Close implements storage.Store. A store that was closed can't be opened again.
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

// mayWrite returns why nothing may be decided at the servers.
func (s *Store) mayWrite() error {
	if f := s.fitness.Load(); f != nil && f.never {
		return f.err
	}
	return nil
}

// stopsWithin is after how long the last call has ended that a node made before
// it saw the mark of an export: one begins when the lease is all but over, and
// takes as long as it may. As long again is for clocks and busy machines. The
// other nodes' settings are taken to be ours.
func (s *Store) stopsWithin(o *Options) time.Duration { return s.leaseFor + 2*o.longestCall() }
