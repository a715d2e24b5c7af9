package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestM21MissingPerson: a record that should be there and is not is a fault of the
// store. It is neither read as a person of whom nothing is known, nor does it spend
// what was presented; a reuse ends its family all the same, and a login heals it.
func TestM21MissingPerson(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	p := storage.Profile{
		Subject: "company|00u1", Fingerprint: storage.Fingerprint{1},
		Person: storage.Person{Groups: []storage.GroupTag{storage.TagGroup("staff")}},
	}
	login := storage.SessionRequest{User: user, ID: storage.SessionID{1, 1}, Lifetime: time.Hour, Profile: p}
	session, err := s.CreateSession(t.Context(), login)
	mustDo(t, err)
	for id := range byte(2) {
		r := storage.CreateRequest{User: user, ID: storage.FamilyID{id}, Begun: session.Begun, Lifetime: time.Hour, MaxActive: 9, Attempt: newAttempt()}
		if res, err := s.CreateFamily(t.Context(), r); err != nil || !res.Created {
			t.Fatal(res, err)
		}
	}
	present := func(id byte, generation uint32) (storage.RotateResult, error) {
		return s.Rotate(t.Context(), storage.RotateRequest{
			User: user, Family: storage.FamilyID{id}, Presented: generation, Rotation: true, DenyFor: time.Hour,
			Fingerprints: []storage.Fingerprint{{1}}, Attempt: newAttempt(),
		})
	}
	for generation := range uint32(2) {
		if _, err := present(1, 1+generation); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := s.PutCode(t.Context(), storage.PutRequest{User: user, ID: storage.CodeID{1}, Session: session.ID, Body: []byte("body"), Lifetime: time.Minute})
	if err != nil || kept != storage.PutKept {
		t.Fatal(kept, err)
	}
	if server.Do("DEL", s.userKey(user, people)) != "1" {
		t.Fatal("there was no record")
	}
	for name, call := range map[string]func() error{
		"Rotate": func() error { _, err := present(0, 1); return err },
		"Session": func() error {
			_, _, _, err := s.Session(t.Context(), user, session.ID, 0, storage.ClientTag{})
			return err
		},
		"Profile": func() error { _, err := s.Profile(t.Context(), user); return err },
		"Held":    func() error { _, err := s.Held(t.Context(), user); return err },
		"TakeCode": func() error {
			_, err := s.TakeCode(t.Context(), storage.TakeRequest{User: user, ID: storage.CodeID{1}, DenyFor: time.Hour, Attempt: newAttempt()})
			return err
		},
	} {
		if err := call(); !errors.Is(err, errNoPerson) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if res, err := present(1, 1); err != nil || res.Outcome != storage.RotateReused {
		t.Errorf("an old refresh token: %+v, %v", res, err)
	}
	login.ID = storage.SessionID{2}
	_, err = s.CreateSession(t.Context(), login)
	mustDo(t, err)
	if res, err := present(0, 1); err != nil || res.Outcome != storage.Rotated || len(res.Profile.Person.Groups) != 1 {
		t.Errorf("after a login: %+v, %v", res, err)
	}
	res, err := s.TakeCode(t.Context(), storage.TakeRequest{User: user, ID: storage.CodeID{1}, DenyFor: time.Hour, Attempt: newAttempt()})
	if err != nil || res.Outcome != storage.CodeTaken {
		t.Errorf("the code after a login: %+v, %v", res, err)
	}
}
