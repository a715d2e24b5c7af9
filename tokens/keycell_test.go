package tokens

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
)

// keyCell is a KeyStore in memory.
type keyCell struct {
	mu      sync.Mutex
	value   []byte
	version uint64
	clock   func() time.Time
	swaps   atomic.Int64
	fail    atomic.Bool
	panics  atomic.Bool
	onRead  func() // after a read, before its result is used
}

var errCellDown = errors.New("the store is down")

func (c *keyCell) Keys(context.Context) ([]byte, uint64, error) {
	if c.panics.Load() {
		panic("broken store")
	}
	if c.fail.Load() {
		return nil, 0, errCellDown
	}
	c.mu.Lock()
	value, version := slices.Clone(c.value), c.version
	c.mu.Unlock()
	if c.onRead != nil {
		c.onRead()
	}
	return value, version, nil
}

func (c *keyCell) SwapKeys(_ context.Context, version uint64, sealed []byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version != c.version {
		return false, nil
	}
	c.swaps.Add(1)
	c.value, c.version = slices.Clone(sealed), c.version+1
	return true, nil
}

func (c *keyCell) Now(context.Context) (time.Time, error) { return c.clock(), nil }

// eventLog is an Observer that remembers.
type eventLog struct {
	NopObserver

	mu     sync.Mutex
	events []Event
}

func (l *eventLog) Happened(_ context.Context, e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *eventLog) count(kind EventKind) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func secretsOf(t testing.TB, names ...string) *Secrets {
	t.Helper()
	values := make([][]byte, len(names))
	for i, n := range names {
		values[i] = []byte(strings.Repeat(n, SecretSize))
	}
	s, err := NewSecrets(values...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	ringRotate  = 24 * time.Hour
	ringKeep    = 30 * time.Minute
	ringPublish = time.Hour
)

func newRing(cell *keyCell, secrets *Secrets, observer Observer, algs ...jose.Algorithm) *KeyRing {
	r := NewKeyRing(cell, observer, cell.clock)
	r.Configure(KeySettings{Secrets: secrets, Algorithms: algs, RotateEvery: ringRotate, KeepFor: ringKeep, PublishBefore: ringPublish})
	return r
}

func mustLoad(t testing.TB, rings ...*KeyRing) {
	t.Helper()
	for _, r := range rings {
		if err := r.Load(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func signerID(t testing.TB, r *KeyRing, alg jose.Algorithm) string {
	t.Helper()
	k, err := r.Signer(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k.ID()
}

func jwksIDs(t testing.TB, r *KeyRing) []string {
	t.Helper()
	set, err := jose.ParseKeySet(r.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range set.Keys() {
		ids = append(ids, k.ID())
	}
	slices.Sort(ids)
	return ids
}
