package redisstore

import (
	"fmt"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// BenchmarkListFamilies lists all grants of a user who has 200, as the admin API does.
func BenchmarkListFamilies(b *testing.B) {
	s := openStore(b, redistest.Start(b))
	for n := range 200 {
		if _, err := beginChain(s, "local|alice", uint64(n+1)); err != nil {
			b.Fatal(err)
		}
	}
	user := storage.TagSubject("local|alice")
	for b.Loop() {
		if list, err := s.ListFamilies(b.Context(), user); err != nil || len(list) != 200 {
			b.Fatalf("%d grants, %v", len(list), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/list")
}

// BenchmarkScanUsers looks through all users, as a list of a client's grants does.
func BenchmarkScanUsers(b *testing.B) {
	s := openStore(b, redistest.Start(b))
	const users = 5000
	for n := range users {
		if _, err := beginChain(s, fmt.Sprint("local|", n), 1); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		found := 0
		err := s.ScanUsers(b.Context(), storage.PartHeld, func(storage.Record) error { found++; return nil })
		if err != nil || found < users {
			b.Fatalf("%d users, %v", found, err)
		}
	}
	b.ReportMetric(users*float64(b.N)/b.Elapsed().Seconds(), "users/s")
}
