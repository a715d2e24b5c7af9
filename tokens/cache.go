package tokens

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// DefaultCacheBytes is the bound of the verified cache unless configured.
const DefaultCacheBytes = 64 << 20

// Cache keeps the claims of verified tokens by the SHA-256 of the whole token.
// It only saves time: it never decides, may forget anything at any time, and
// issuer, key, time, audience, scope and denylist are checked on every use.
type Cache struct {
	entries *ristretto.Cache[uint64, *cacheEntry]
}

// cacheEntry holds the full digest, so that two tokens whose 64-bit keys
// collide are told apart.
type cacheEntry struct {
	digest [sha256.Size]byte
	claims *Claims
}

// entryBytes is about what the cache itself keeps per entry.
const entryBytes = 256

// NewCache makes a cache of about maxBytes at most; 0 is DefaultCacheBytes.
func NewCache(maxBytes int64) (*Cache, error) {
	if maxBytes <= 0 {
		maxBytes = DefaultCacheBytes
	}
	const typical = 3 << 10 // bytes of one entry
	entries, err := ristretto.NewCache(&ristretto.Config[uint64, *cacheEntry]{
		NumCounters:        max(10*maxBytes/typical, 1000),
		MaxCost:            maxBytes,
		BufferItems:        64,
		IgnoreInternalCost: true, // it is in our cost
	})
	if err != nil {
		return nil, fmt.Errorf("making verified cache: %w", err)
	}
	return &Cache{entries: entries}, nil
}

// Get returns the claims of a token that was verified before, or nil. Its
// issuer, key and time are the caller's to check.
func (c *Cache) Get(token string) *Claims {
	if len(token) > MaxTokenBytes {
		return nil
	}
	digest := digestOf(token)
	entry, ok := c.entries.Get(cacheKey(&digest))
	if !ok || entry.digest != digest {
		return nil
	}
	return entry.claims
}

// Put keeps the claims of an access token that this process has verified or
// made, until it expires.
func (c *Cache) Put(token string, claims *Claims) {
	entry := &cacheEntry{digest: digestOf(token), claims: claims}
	ttl := time.Until(claims.Expiry)
	if ttl <= 0 {
		return
	}
	c.entries.SetWithTTL(cacheKey(&entry.digest), entry, claims.Size()+entryBytes, ttl)
}

// Close ends the background work of the cache. Later calls of Get and Put do nothing.
func (c *Cache) Close() { c.entries.Close() }

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
