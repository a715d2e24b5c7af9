package redisstore

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// DOS-11: what a denied token costs Redis, in keys of at most 64 bytes: ten
// million of them, each of another user, are about 2 GB.
func TestDenialsMemory(t *testing.T) {
	t.Parallel()
	const entries = 5_000 // Redis's tables are as full as with 20,000
	for _, perUser := range []int{1, 10} {
		t.Run(fmt.Sprintf("%d per user", perUser), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			onlyData(t, server)
			prefixed := func(o *Options) { o.KeyPrefix = "gatehouse:" }
			s := openStore(t, server, prefixed)
			if err := s.DenyToken(t.Context(), storage.TagSubject("local|first"), storage.TokenID{1}, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			mustDo(t, s.Close())
			before := usedMemory(t, server)
			s = openStore(t, server, prefixed)
			var wg sync.WaitGroup
			const workers = 8
			for worker := range workers {
				wg.Go(func() {
					for i := worker; i < entries; i += workers {
						var id storage.TokenID
						binary.BigEndian.PutUint32(id[:], uint32(i))
						user := storage.TagSubject(fmt.Sprint("local|", i/perUser))
						if err := s.DenyToken(t.Context(), user, id, time.Now().Add(time.Hour)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			mustDo(t, s.Close())
			each := float64(usedMemory(t, server)-before) / entries
			t.Logf("%.0f bytes for each denied token", each)
			if each > 300 {
				t.Errorf("a denied token takes %.0f bytes", each)
			}
			if key := s.userKey(storage.TagSubject("local|0"), denied); len(key) > 64 {
				t.Errorf("the key %q has %d bytes", key, len(key))
			}
		})
	}
}
