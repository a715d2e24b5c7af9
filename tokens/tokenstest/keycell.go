package tokenstest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// KeyCell is a storage.KeyStore in memory.
type KeyCell struct {
	mu      sync.Mutex
	Value   []byte
	Version uint64
	Clock   func() time.Time
	Swaps   atomic.Int64
	Fail    atomic.Bool
	Panics  atomic.Bool
	OnRead  func() // after a read, before its result is used
}

// ErrCellDown is what reading fails with while Fail is set.
var ErrCellDown = errors.New("the store is down")

// Keys returns what was written last.
func (c *KeyCell) Keys(context.Context) ([]byte, uint64, error) {
	if c.Panics.Load() {
		panic("broken store")
	}
	if c.Fail.Load() {
		return nil, 0, ErrCellDown
	}
	c.mu.Lock()
	value, version := slices.Clone(c.Value), c.Version
	c.mu.Unlock()
	if c.OnRead != nil {
		c.OnRead()
	}
	return value, version, nil
}

// SwapKeys writes, unless somebody was faster.
func (c *KeyCell) SwapKeys(_ context.Context, version uint64, sealed []byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version != c.Version {
		return false, nil
	}
	c.Swaps.Add(1)
	c.Value, c.Version = slices.Clone(sealed), c.Version+1
	return true, nil
}

// Now returns the time of Clock.
func (c *KeyCell) Now(context.Context) (time.Time, error) { return c.Clock(), nil }
