package boltstore

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestWorstUser does what one user can do without end, and counts what a decision
// has to read of him afterwards (A1, A3). How long calls take is only told.
func TestWorstUser(t *testing.T) {
	s := openStore(t)
	var n atomic.Uint64
	id := func() (id [16]byte) {
		copy(id[:], fmt.Sprintf("%016d", n.Add(1)))
		return id
	}
	attempt := func() storage.Attempt { id := id(); return storage.Attempt(id[8:]) }
	calls := func(user storage.UserTag) []func() error {
		ctx := t.Context()
		first := id()
		session, err := s.CreateSession(ctx, storage.SessionRequest{User: user, ID: storage.SessionID(first[8:]), Lifetime: time.Hour, DenyFor: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return []func() error{
			func() error {
				id := id()
				_, err := s.CreateSession(ctx, storage.SessionRequest{User: user, ID: storage.SessionID(id[8:]), Lifetime: time.Hour, DenyFor: time.Hour})
				return err
			},
			func() error {
				_, err := s.CreateFamily(ctx, storage.CreateRequest{
					User: user, ID: id(), Client: storage.ClientTag{byte(n.Load() % 6)}, Begun: session.Begun,
					Lifetime: time.Hour, MaxActive: 200, DenyFor: time.Hour, Attempt: attempt(),
				})
				return err
			},
			func() error {
				_, err := s.End(ctx, storage.EndRequest{User: user, Scope: storage.EndFamily, Family: id(), DenyFor: time.Hour, Attempt: attempt()})
				return err
			},
			func() error {
				id := id() // the session may have been the least used
				fresh, err := s.CreateSession(ctx, storage.SessionRequest{User: user, ID: storage.SessionID(id[8:]), Lifetime: time.Hour, DenyFor: time.Hour})
				if err == nil {
					_, err = s.PutCode(ctx, storage.PutRequest{User: user, ID: id, Session: fresh.ID, Body: make([]byte, 5<<10), Lifetime: time.Minute})
				}
				if err == nil && id[15]%2 == 0 {
					_, err = s.TakeCode(ctx, storage.TakeRequest{User: user, ID: id, DenyFor: time.Hour, Attempt: attempt()})
				}
				return err
			},
		}
	}
	bob, quiet := storage.TagSubject("local|bob"), storage.TagSubject("local|quiet")
	ofBob, ofQuiet := calls(bob), calls(quiet)
	for i, most := range []int{storage.MaxSessions, storage.MaxFamilies, storage.MaxDenials, 2 * storage.MaxCodes} {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range most*5/4/16 + 1 {
					if err := ofBob[i](); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	for bucket, most := range map[bucketID]int{
		sessions: storage.MaxSessions, families: storage.MaxFamilies, denials: storage.MaxDenials + 1, codes: storage.MaxCodes, codeBodies: storage.MaxCodeBodies,
	} {
		got, err := viewIn(s, s.file, func(txn *txn) (n int, err error) {
			err = txn.scan(bucket, bob[:], func(k, _ []byte) error {
				if !bytes.HasPrefix(k, bob[:]) {
					return errBadRecord
				}
				n++
				return nil
			})
			return n, err
		})
		if err != nil || got == 0 || got > most {
			t.Errorf("%d things in %s (%v), want at most %d", got, bucketNames[bucket], err, most)
		}
	}
	for i, name := range []string{"create session", "create family", "end a family", "session, put and take code"} {
		t.Logf("%-28s quiet %v, bob %v", name, average(t, ofQuiet[i]), average(t, ofBob[i]))
	}
}

// average returns how long a call takes, its wait for the disk included.
func average(t *testing.T, call func() error) time.Duration {
	const times = 20
	start := time.Now()
	for range times {
		if err := call(); err != nil {
			t.Error(err)
		}
	}
	return (time.Since(start) / times).Round(time.Microsecond)
}
