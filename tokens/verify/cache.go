package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// DefaultCacheBytes is the bound of the verified cache unless configured.
const DefaultCacheBytes = 128 << 20

// Cache keeps the claims of verified tokens by the SHA-256 of the whole token.
// It only saves time: it never decides, may forget anything at any time, and
// issuer, key, time, audience, scope and denylist are checked on every use.
type Cache struct {
	entries *ristretto.Cache[uint64, *Claims]
	front   *front
	misses  atomic.Uint64
	closing sync.RWMutex // held by Close, and for reading by Put: a Set that meets a Close panics in ristretto
}

// entryBytes is about what an entry costs beside its claims: what the cache
// keeps for it, and its part of the garbage that lies about until the next
// collection. With it a process grows by the bound and not by more.
const entryBytes = 768

// NewCache makes a cache of about maxBytes at most; 0 is DefaultCacheBytes.
func NewCache(maxBytes int64) (*Cache, error) {
	if maxBytes <= 0 {
		maxBytes = DefaultCacheBytes
	}
	const typical = 6 << 10 // bytes of one entry
	front := new(front)
	entries, err := ristretto.NewCache(&ristretto.Config[uint64, *Claims]{
		NumCounters:        max(4*maxBytes/typical, 1000), // not 10 for each, as usual: few stay in the processor's caches
		MaxCost:            maxBytes,
		BufferItems:        64,
		IgnoreInternalCost: true, // it is in our cost
		OnExit:             background.Callback(nil, front.drop),
	})
	if err != nil {
		return nil, fmt.Errorf("making verified cache: %w", err)
	}
	return &Cache{entries: entries, front: front}, nil
}

// Get returns the claims of a token that was verified before, or nil. Its
// issuer, key and time are the caller's to check.
func (c *Cache) Get(token string) *Claims {
	digest := digestOf(token)
	if claims := c.front.get(&digest); claims != nil {
		return claims
	}
	claims, ok := c.entries.Get(cacheKey(&digest))
	if !ok || claims.digest != digest { // two tokens may share the 64 bits of the key
		c.misses.Add(1)
		return nil
	}
	c.front.put(claims)
	return claims
}

// Put keeps the claims of an access token that this process has verified or
// made, until it expires. The claims are those of this token alone, and nobody
// else has them yet.
func (c *Cache) Put(token string, claims *Claims) {
	claims.digest = digestOf(token)
	ttl := time.Until(claims.Expiry)
	if ttl <= 0 {
		return
	}
	c.closing.RLock()
	defer c.closing.RUnlock()
	c.entries.SetWithTTL(cacheKey(&claims.digest), claims, claims.Size()+entryBytes, ttl)
}

// Bytes returns about how much memory the tokens that are held take.
func (c *Cache) Bytes() int64 { return c.entries.MaxCost() - c.entries.RemainingCost() }

// Misses returns how often Get found nothing.
func (c *Cache) Misses() uint64 { return c.misses.Load() }

// Close ends the background work of the cache. Later calls of Get and Put do nothing.
func (c *Cache) Close() {
	c.closing.Lock()
	defer c.closing.Unlock()
	c.entries.Close()
}

// digestOf hashes a whole token. Usual ones are copied to the stack, so that a
// cache hit allocates nothing.
func digestOf(token string) [sha256.Size]byte {
	var buffer [1536]byte
	if len(token) > len(buffer) {
		return sha256.Sum256([]byte(token))
	}
	return sha256.Sum256(buffer[:copy(buffer[:], token)])
}

func cacheKey(digest *[sha256.Size]byte) uint64 { return binary.LittleEndian.Uint64(digest[:8]) }
