package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2" //nolint:depguard // no secret: which hits are counted
	"sync/atomic"
)

const (
	// frontSets is how many pairs of tokens the front holds: a power of two. It
	// takes 256 KiB.
	frontSets = 1 << 14
	// frontSample: of so many hits in the front the cache behind it hears of one.
	frontSample = 16
)

// front finds the tokens in use by one line of memory, where ristretto's map, its
// lock and its counters touch a dozen: with many tokens in use each of those is
// waited for (docs/development/performance.md). It holds what the cache holds; what a reader puts
// back just as the cache lets it go stays until another token takes its place.
type front [frontSets][2]atomic.Pointer[Claims]

func (f *front) set(digest *[sha256.Size]byte) *[2]atomic.Pointer[Claims] {
	return &f[binary.LittleEndian.Uint64(digest[8:])%frontSets]
}

// get returns claims, or nil. Now and then it finds nothing, so that the cache
// knows what is in use and does not evict that.
func (f *front) get(digest *[sha256.Size]byte) *Claims {
	set := f.set(digest)
	for i := range set {
		if c := set[i].Load(); c != nil && c.digest == *digest {
			if rand.Uint32()%frontSample == 0 { //nolint:gosec // as above
				return nil
			}
			return c
		}
	}
	return nil
}

// put holds what the cache has just found.
func (f *front) put(c *Claims) {
	set := f.set(&c.digest)
	if first := set[0].Load(); first != c {
		set[1].Store(first)
		set[0].Store(c)
	}
}

// drop forgets what the cache has let go; nil is nothing.
func (f *front) drop(c *Claims) {
	if c == nil {
		return
	}
	for set, i := f.set(&c.digest), 0; i < len(set); i++ {
		set[i].CompareAndSwap(c, nil)
	}
}
