package boltstore

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// RT-23: TestManyFamilies shows that what a rotation reads and writes does not grow
// with the user's families, and that a user with 10,000 of them can be signed out.
func TestManyFamilies(t *testing.T) {
	const n = 10_000
	s := openStore(t)
	rich, poor := newChain(t, s, "local|rich"), newChain(t, s, "local|poor")
	fill(t, s, n, func(i int, tx *bolt.Tx) error {
		var id storage.FamilyID
		binary.BigEndian.PutUint32(id[:], uint32(i))
		f := storage.Begin(storage.CreateRequest{ID: id, Client: storage.ClientTag{1}, Lifetime: time.Hour}, time.Now(), time.Now())
		v, err := f.MarshalBinary()
		if err != nil {
			return err
		}
		k := userKey(rich.request.User, id[:])
		return tx.Bucket(bucketNames[families]).Put(k, seal(families, k, v))
	})
	allocs := func(c *chain) float64 {
		return testing.AllocsPerRun(20, func() {
			if err := c.rotate(s); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := allocs(poor), allocs(rich)
	if many > 2*few {
		t.Errorf("a rotation of one of %d families makes %.0f allocations, of the only one %.0f", n, many, few)
	}
	res, err := s.End(context.Background(), storage.EndRequest{User: rich.request.User, Scope: storage.EndUser, DenyFor: time.Minute, Attempt: storage.Attempt{1}})
	if err != nil || len(res.Families) != n+1 {
		t.Fatalf("signed out of %d families (%v)", len(res.Families), err)
	}
	users := []storage.UserTag{rich.request.User}
	read := testing.AllocsPerRun(20, func() {
		if d, err := s.Denials(context.Background(), users); err != nil || d[0].Before.IsZero() || len(d[0].Entries) != 0 {
			t.Fatal(d, err)
		}
	})
	if read > 50 {
		t.Errorf("asking for the denylist of that user makes %.0f allocations", read)
	}
}
