package boltstore

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestM21MissingPerson: a record that should be there and is not is damage, and never
// a person of whom nothing is known.
func TestM21MissingPerson(t *testing.T) {
	s := openStore(t)
	user := storage.TagSubject("company|00u1")
	p := storage.Profile{Subject: "company|00u1", Person: storage.Person{Groups: []storage.GroupTag{storage.TagGroup("staff")}}}
	session, err := s.CreateSession(t.Context(), storage.SessionRequest{User: user, ID: storage.SessionID{1}, Lifetime: time.Hour, Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	_, err = decide(t.Context(), s, "remove", func(t *txn) (struct{}, error) {
		t.remove(people, user[:])
		return struct{}{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Profile(t.Context(), user); !errors.Is(err, errDamaged) {
		t.Errorf("profile %+v, %v", p, err)
	}
	if _, p, _, err := s.Session(t.Context(), user, session.ID, 0); !errors.Is(err, errDamaged) {
		t.Errorf("profile of the session %+v, %v", p, err)
	}
}
