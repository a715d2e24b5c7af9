package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// count returns how many records a bucket holds.
func count(t testing.TB, s *Store, bucket bucketID) int {
	t.Helper()
	n, err := viewIn(s, s.file, func(t *txn) (int, error) {
		n := 0
		return n, t.scan(bucket, nil, func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fill puts records into the file directly, n of them.
func fill(t testing.TB, s *Store, n int, put func(i int, tx *bolt.Tx) error) {
	t.Helper()
	err := s.file.db.Update(func(tx *bolt.Tx) error {
		for i := range n {
			if err := put(i, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, func(o *Options) { o.Clock = clock.Now })
	ctx := context.Background()
	user := storage.TagSubject("local|alice")
	session := func(id byte, lifetime time.Duration) {
		_, err := s.CreateSession(ctx, storage.SessionRequest{User: user, ID: storage.SessionID{id}, Lifetime: lifetime})
		if err != nil {
			t.Fatal(err)
		}
	}
	session(1, time.Minute)
	session(2, time.Hour)
	for i, lifetime := range []time.Duration{time.Minute, time.Hour, 0} {
		client := storage.ClientTag{byte(i / 2)}
		if _, err := s.CreateFamily(ctx, storage.CreateRequest{User: user, ID: storage.FamilyID{byte(i)}, Client: client, Begun: clock.Now(), Lifetime: lifetime, MaxActive: 9, Attempt: storage.Attempt{1}}); err != nil {
			t.Fatal(err)
		}
		r := storage.PutRequest{User: user, ID: storage.CodeID{byte(i)}, Session: storage.SessionID{2}, Lifetime: max(lifetime, time.Second)}
		if kept, err := s.PutCode(ctx, r); err != nil || kept != storage.PutKept {
			t.Fatal(kept, err)
		}
		if err := s.DenyToken(ctx, user, storage.TokenID{byte(i)}, clock.Now().Add(lifetime)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.End(ctx, storage.EndRequest{User: storage.TagSubject("local|bob"), Scope: storage.EndUser, DenyFor: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.End(ctx, storage.EndRequest{User: storage.TagSubject("local|bob"), Scope: storage.EndSession, DenyFor: time.Minute}); err != nil {
		t.Fatal(err)
	}
	for i, lifetime := range []time.Duration{time.Minute, time.Hour} {
		if _, err := s.UseAssertion(ctx, storage.AssertionRequest{ID: storage.AssertionID{byte(i)}, Until: clock.Now().Add(lifetime)}); err != nil {
			t.Fatal(err)
		}
	}
	clock.Advance(2 * time.Minute)
	if _, err := s.EndClient(ctx, storage.ClientTag{1}, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.file.sweeper.sweep(ctx); err != nil {
		t.Fatal(err)
	}
	for bucket, want := range map[bucketID]int{sessions: 1, families: 1, codes: 1, denials: 1, profiles: 1, clients: 1, assertions: 1} {
		if n := count(t, s, bucket); n != want {
			t.Errorf("%d records in %s, want %d", n, bucketNames[bucket], want)
		}
	}
}

func TestSweepManyInSmallSteps(t *testing.T) {
	s := openStore(t)
	const n = 3*sweepRead + 7
	fill(t, s, n, func(i int, tx *bolt.Tx) error {
		k := make([]byte, 32)
		binary.BigEndian.PutUint64(k, uint64(i))
		c := codeRecord{expires: time.Now().Add(time.Hour)}
		if i%2 == 0 {
			c.expires = time.Now().Add(-time.Hour)
		}
		return tx.Bucket(bucketNames[codes]).Put(k, seal(codes, k, c.encode()))
	})
	before := commits(t, s)
	if err := s.file.sweeper.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := count(t, s, codes); got != n/2 {
		t.Errorf("%d codes are left, want %d", got, n/2)
	}
	if got := commits(t, s) - before; got < n/2/sweepRemove {
		t.Errorf("%d removed in %d transactions, want at most %d in each", n/2, got, sweepRemove)
	}
}

func TestSweepLeavesWhatItCannotRead(t *testing.T) {
	s := openStore(t)
	fill(t, s, 1, func(_ int, tx *bolt.Tx) error {
		k := make([]byte, 32)
		return tx.Bucket(bucketNames[codes]).Put(k, seal(codes, k, []byte{secondVersion + 1, 1, 2, 3}))
	})
	err := s.file.sweeper.sweep(t.Context())
	if err == nil || !strings.Contains(err.Error(), "1 records") {
		t.Errorf("sweep: %v", err)
	}
	if count(t, s, codes) != 1 {
		t.Error("a record of a newer version was removed")
	}
	if _, err := s.TakeCode(t.Context(), storage.TakeRequest{}); !errors.Is(err, errNewerRecord) {
		t.Errorf("TakeCode of a newer record: %v", err)
	}
}

func TestSweeperRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var sweeps, faults atomic.Int32
		s := New(Options{
			Path: filepath.Join(t.TempDir(), "gatehouse.db"),
			Clock: func() time.Time {
				if broken.Load() {
					panic("the clock is broken")
				}
				return time.Now()
			},
			OnCall: func(_ context.Context, op string, _ time.Duration, err error) {
				if op != "sweep" {
					return
				}
				sweeps.Add(1)
				if err != nil {
					faults.Add(1)
					panic("the observer is broken")
				}
			},
		})
		s.sweepEvery = time.Minute
		mustOpen(t, s)
		broken.Store(true)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		broken.Store(false)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if faults.Load() != 1 || sweeps.Load() < 5 {
			t.Errorf("%d of %d sweeps failed, want the first", faults.Load(), sweeps.Load())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
