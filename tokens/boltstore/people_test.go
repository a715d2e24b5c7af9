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
	if _, p, _, err := s.Session(t.Context(), user, session.ID, 0, storage.ClientTag{}); !errors.Is(err, errDamaged) {
		t.Errorf("profile of the session %+v, %v", p, err)
	}
}

// TestSweepPeople: who has nothing any more is forgotten after a while, the profile
// together with what it says there is; what providers gave, and their names, end by themselves.
func TestSweepPeople(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, func(o *Options) { o.Clock = clock.Now })
	for i, lifetime := range []time.Duration{time.Hour, 0} { // the other one's session has no end
		p := storage.Profile{Subject: "company|00u1", Person: storage.Person{Claims: []byte("{}")}}
		r := storage.SessionRequest{User: storage.UserTag{byte(i)}, ID: storage.SessionID{1}, Lifetime: lifetime, Profile: p, Upstream: []byte("sealed")}
		if _, err := s.CreateSession(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := s.PutIndex(t.Context(), storage.IndexRequest{Key: storage.IndexKey{byte(i)}, Lifetime: lifetime}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		pass time.Duration
		want map[bucketID]int
	}{
		{keepProfile - time.Hour, map[bucketID]int{sessions: 1, profiles: 2, people: 2, upstreams: 2, indexes: 1}},
		{time.Hour, map[bucketID]int{sessions: 1, profiles: 1, people: 1, upstreams: 0, indexes: 1}},
	} {
		clock.Advance(step.pass)
		if err := s.file.sweeper.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		for bucket, want := range step.want {
			if n := count(t, s, bucket); n != want {
				t.Errorf("after %v: %d records in %s, want %d", step.pass, n, bucketNames[bucket], want)
			}
		}
	}
	if p, err := s.Profile(t.Context(), storage.UserTag{1}); err != nil || p.Subject == "" || string(p.Person.Claims) != "{}" {
		t.Errorf("who is signed in: %+v, %v", p, err)
	}
}
