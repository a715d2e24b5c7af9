package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestPeopleSize holds what comes with logins at providers to its budget: bytes of the
// file's pages for each, beside a person with a session.
func TestPeopleSize(t *testing.T) {
	person := func(claims int) func(*storage.SessionRequest) {
		return func(r *storage.SessionRequest) {
			r.Profile.Person = storage.Person{
				Checked: time.Unix(1_800_000_000, 0), Groups: []storage.GroupTag{{1}, {2}, {3}}, Claims: bytes.Repeat([]byte("x"), claims),
			}
		}
	}
	index := func(s *Store, r storage.SessionRequest) error {
		return s.PutIndex(context.Background(), storage.IndexRequest{
			Key: storage.IndexKey(r.User), Indexed: storage.Indexed{User: r.User, Root: r.ID}, Lifetime: r.Lifetime,
		})
	}
	agree := func(s *Store, r storage.SessionRequest) error {
		_, err := s.PutCode(context.Background(), storage.PutRequest{
			User: r.User, Session: r.ID, Client: storage.ClientTag{1}, Lifetime: time.Minute,
			Consent: &storage.Consent{Agreed: storage.GrantID{1}, Name: "An application, with a name of 37 bytes"},
		})
		return err
	}
	base := 0.0
	for i, row := range []struct {
		name   string
		budget float64
		change func(*storage.SessionRequest)
		more   func(s *Store, r storage.SessionRequest) error
	}{
		{"a person with a session", 260, nil, nil},
		{"groups, without claims", 140, person(0), nil},
		{"300 bytes of claims", 720, person(300), nil},
		{"1 KiB of claims", 2100, person(1024), nil},
		{"1.5 KB of a provider", 2800, func(r *storage.SessionRequest) { r.Upstream = make([]byte, 1500) }, nil},
		{"a name in the index", 140, nil, index},
		{"a consent, beside its code", 600, nil, agree},
	} {
		got := pagesPerUser(t, row.change, row.more) - base
		if i == 0 {
			base = got
		}
		t.Logf("%s: %.0f bytes", row.name, got)
		if got > row.budget {
			t.Errorf("%s takes %.0f bytes, want at most %.0f", row.name, got, row.budget)
		}
	}
}

// pagesPerUser fills a store and measures the pages that hold its records.
func pagesPerUser(t *testing.T, change func(*storage.SessionRequest), more func(*Store, storage.SessionRequest) error) float64 {
	s := openStore(t)
	const users, workers = 1024, 64
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < users; i += workers {
				subject := fmt.Sprintf("company|user%06d", i)
				r := storage.SessionRequest{
					User: storage.TagSubject(subject), ID: storage.SessionID{1}, Lifetime: 30 * 24 * time.Hour, AuthTime: storage.AtLogin, ACR: "2", AMR: []string{"pwd", "otp"},
					Profile: storage.Profile{Subject: subject, Fingerprint: storage.Fingerprint{1}},
				}
				if change != nil {
					change(&r)
				}
				_, err := s.CreateSession(context.Background(), r)
				if err == nil && more != nil {
					err = more(s, r)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	pages := 0
	err := s.file.db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			stats := b.Stats()
			pages += stats.LeafAlloc + stats.BranchAlloc
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return float64(pages) / users
}
