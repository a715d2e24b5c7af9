package boltstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

func BenchmarkRotate(b *testing.B) {
	for _, workers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			s := openStore(b)
			chains := make([]*chain, workers)
			for i := range chains {
				chains[i] = newChain(b, s, fmt.Sprint("local|", i))
			}
			inWorkers(b, workers, func(worker, _ int) error { return chains[worker].rotate(s) })
		})
	}
}

func BenchmarkTakeCode(b *testing.B) {
	for _, workers := range []int{1, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			s := openStore(b)
			inWorkers(b, workers, func(_, n int) error {
				user, id := storage.TagSubject(fmt.Sprint(n%1000)), storage.CodeID(storage.TagSubject(fmt.Sprint(n)))
				session := storage.SessionID(id[:8])
				if _, err := s.CreateSession(context.Background(), storage.SessionRequest{User: user, ID: session, Lifetime: time.Hour}); err != nil {
					return err
				}
				r := storage.PutRequest{User: user, ID: id, Session: session, Body: []byte(`{"client":"app"}`), Lifetime: time.Minute}
				if _, err := s.PutCode(context.Background(), r); err != nil {
					return err
				}
				res, err := s.TakeCode(context.Background(), storage.TakeRequest{User: user, ID: id, DenyFor: time.Minute, Attempt: storage.Attempt{1}})
				if err == nil && res.Outcome != storage.CodeTaken {
					err = fmt.Errorf("outcome %d", res.Outcome)
				}
				return err
			})
		})
	}
}

func BenchmarkDenials(b *testing.B) {
	s := openStore(b)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for n := range 100 {
				user := storage.TagSubject(fmt.Sprint("denied|", i, "|", n))
				if err := s.DenyToken(context.Background(), user, storage.TokenID{1}, time.Now().Add(time.Hour)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for name, user := range map[string]storage.UserTag{
		"miss": storage.TagSubject("local|alice"), "hit": storage.TagSubject("denied|1|1"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			users := []storage.UserTag{user}
			for b.Loop() {
				d, err := s.Denials(context.Background(), users)
				if err != nil || len(d[0].Entries) == 0 == (name == "hit") {
					b.Fatal(d, err)
				}
			}
		})
	}
}

// inWorkers shares b.N calls among goroutines.
func inWorkers(b *testing.B, workers int, call func(worker, n int) error) {
	b.Helper()
	b.ReportAllocs()
	var next atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for n := int(next.Add(1)); n <= b.N; n = int(next.Add(1)) {
				if err := call(worker, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
