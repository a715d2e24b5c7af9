package tokens_test

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/boltstore"
	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// BenchmarkVerdict checks tokens of users of whom nothing is held, over bbolt,
// and of one user of whom everything is.
func BenchmarkVerdict(b *testing.B) {
	store := boltstore.New(boltstore.Options{Path: filepath.Join(b.TempDir(), "bench.db")})
	state, err := state.New(state.Config{
		Store: store, Observer: oauth.NopObserver{}, Clock: time.Now, CacheBytes: 1 << 20, DenylistEntries: 10_000,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer state.Close()
	if _, err := store.Open(b.Context(), storage.OpenRequest{Secrets: [][16]byte{{1}}, TokenLifetime: time.Hour}); err != nil {
		b.Fatal(err)
	}
	var users atomic.Uint64
	fresh := func(c *denylist.Token) {
		binary.BigEndian.PutUint64(c.User[:], users.Add(1)*0x9e3779b97f4a7c15)
	}
	check := func(b *testing.B, c *denylist.Token) {
		if err := state.Denylist.Check(context.Background(), c); err != nil {
			b.Fatal(err)
		}
	}
	claims := denylist.Token{IssuedAt: time.Now()}
	check(b, &claims) // loads the watermarks
	b.Run("fresh", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fresh(&claims)
			check(b, &claims)
		}
	})
	b.Run("fresh parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			claims := denylist.Token{IssuedAt: time.Now()}
			for pb.Next() {
				fresh(&claims)
				check(b, &claims)
			}
		})
	})
	b.Run("held", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			check(b, &claims)
		}
	})
}
