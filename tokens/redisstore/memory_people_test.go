package redisstore

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestPeopleMemory holds what comes with logins at providers to its budget: bytes of
// Redis's memory for each, beside a person with a session and a family.
func TestPeopleMemory(t *testing.T) {
	t.Parallel()
	users := 1_000
	if long {
		users = 20_000
	}
	person := func(claims int) func(*storage.SessionRequest) {
		return func(r *storage.SessionRequest) {
			r.Profile.Person = storage.Person{
				Checked: time.Unix(1_800_000_000, 0), Groups: []storage.GroupTag{{1}, {2}, {3}}, Claims: bytes.Repeat([]byte("x"), claims),
			}
		}
	}
	rows := []struct {
		name   string
		budget float64
		change func(*storage.SessionRequest)
		more   func(s *Store, r storage.SessionRequest) error
	}{
		{"a person with a session and a family", 305, nil, nil},
		{"groups, without claims", 185, person(0), nil},
		{"300 bytes of claims", 540, person(300), nil},
		{"1 KiB of claims", 1480, person(1024), nil},
		{"4 KiB of claims", 5500, person(4096), nil},
		{"another session", 75, nil, func(s *Store, r storage.SessionRequest) error {
			r.ID = storage.SessionID{2}
			_, err := s.CreateSession(context.Background(), r)
			return err
		}},
		{"1.5 KB of a provider", 2170, func(r *storage.SessionRequest) { r.Upstream = make([]byte, 1500) }, nil},
		{"a consent", 215, nil, func(s *Store, r storage.SessionRequest) error { return agreeTo(s, r, 1) }},
		{"three consents", 365, nil, func(s *Store, r storage.SessionRequest) error { return agreeTo(s, r, 3) }},
		{"100 consents", 7600, nil, func(s *Store, r storage.SessionRequest) error { return agreeTo(s, r, storage.MaxConsents) }},
		{"a name in the index", 185, nil, func(s *Store, r storage.SessionRequest) error {
			return s.PutIndex(context.Background(), storage.IndexRequest{
				Key: storage.IndexKey(r.User), Indexed: storage.Indexed{User: r.User, Root: r.ID}, Lifetime: r.Lifetime,
			})
		}},
	}
	base := 0.0
	for i, row := range rows {
		if !long && i%3 != 0 && row.name != "a consent" { // each takes its time
			continue
		}
		got := bytesPerUser(t, users, func(s *Store, subject string) error {
			r, err := signInFully(s, subject, row.change)
			if err == nil && row.more != nil {
				err = row.more(s, r)
			}
			return err
		}) - base
		if i == 0 {
			base = got
		}
		t.Logf("%s: %.0f bytes", row.name, got)
		if got > row.budget {
			t.Errorf("%s takes %.0f bytes, want at most %.0f", row.name, got, row.budget)
		}
	}
}

// agreeTo makes somebody agree to what some clients ask for, and sees to it that the codes which
// come with that are gone.
func agreeTo(s *Store, r storage.SessionRequest, n int) error {
	for i := range n {
		kept, err := s.PutCode(context.Background(), storage.PutRequest{
			User: r.User, ID: storage.CodeID{byte(i)}, Session: r.ID, Client: storage.ClientTag{1, byte(i)}, Lifetime: time.Minute,
			Consent: &storage.Consent{Agreed: storage.GrantID{1, byte(i)}, Name: "An application, with a name of 37 bytes"},
		})
		if err != nil || kept != storage.PutKept {
			return fmt.Errorf("putting a code: %d, %w", kept, err)
		}
	}
	c, err := s.connected(context.Background())
	if err != nil {
		return err
	}
	return c.client.Del(context.Background(), s.userKeys(r.User, codes, bodies)...).Err()
}

// signInFully gives somebody a session and a family.
func signInFully(s *Store, subject string, change func(*storage.SessionRequest)) (storage.SessionRequest, error) {
	user := storage.TagSubject(subject)
	r := storage.SessionRequest{
		User: user, ID: storage.SessionID{1}, Lifetime: 30 * 24 * time.Hour, AuthTime: storage.AtLogin, ACR: "2", AMR: []string{"pwd", "otp"},
		Profile: storage.Profile{Subject: subject, Fingerprint: storage.Fingerprint{1}},
	}
	if change != nil {
		change(&r)
	}
	session, err := s.CreateSession(context.Background(), r)
	if err != nil {
		return r, err
	}
	res, err := s.CreateFamily(context.Background(), storage.CreateRequest{
		User: user, ID: storage.FamilyID{1}, Begun: session.Begun, Session: session.ID,
		Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour, MaxActive: 200, Attempt: storage.Attempt{1},
	})
	if err == nil && !res.Created {
		err = fmt.Errorf("the family of %s was not created", subject)
	}
	return r, err
}

// bytesPerUser fills a server and measures what each of many users takes.
func bytesPerUser(t *testing.T, users int, fill func(s *Store, subject string) error) float64 {
	server := redistest.Start(t)
	onlyData(t, server)
	s := openStore(t, server)
	mustDo(t, fill(s, "company|the first")) // the scripts are counted once
	mustDo(t, s.Close())
	before := usedMemory(t, server)
	s = openStore(t, server)
	var wg sync.WaitGroup
	const workers = 8
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < users; i += workers {
				if err := fill(s, fmt.Sprintf("company|user%06d", i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	mustDo(t, s.Close())
	used := usedMemory(t, server)
	user := s.userKey(storage.TagSubject("company|user000001"), held)
	if encoding := server.Do("OBJECT", "ENCODING", user); encoding != "listpack" {
		t.Errorf("what a user holds is a %s, want a listpack", encoding)
	}
	return float64(used-before) / float64(users)
}
