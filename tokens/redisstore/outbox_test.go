package redisstore

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// noted signs a user in, and lets clients take a code each.
func noted(t *testing.T, s *Store, user storage.UserTag, session storage.SessionID, clients ...storage.ClientTag) {
	t.Helper()
	_, err := s.CreateSession(t.Context(), storage.SessionRequest{User: user, ID: session, Lifetime: time.Hour, Profile: alice})
	mustDo(t, err)
	for i, client := range clients {
		id := storage.CodeID{session[0], byte(i + 1)}
		_, err := s.PutCode(t.Context(), storage.PutRequest{User: user, ID: id, Session: session, Client: client, Body: []byte("body"), Lifetime: time.Minute})
		mustDo(t, err)
		res, err := s.TakeCode(t.Context(), storage.TakeRequest{User: user, ID: id, Client: client, Note: time.Hour, DenyFor: time.Hour, Attempt: newAttempt()})
		if mustDo(t, err); res.Outcome != storage.CodeTaken {
			t.Fatalf("code: outcome %d", res.Outcome)
		}
	}
}

// H9: what can't be read of one user, or of one slot, keeps nobody else from being told.
func TestH9TakenBesideDamage(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	var users []storage.UserTag
	for n := range byte(outboxes) {
		user := storage.UserTag{n, 1}
		users = append(users, user)
		noted(t, s, user, storage.SessionID{1}, storage.ClientTag{1})
		_, err := s.End(t.Context(), storage.EndRequest{User: user, Scope: storage.EndUser, DenyFor: time.Hour, Attempt: newAttempt()})
		mustDo(t, err)
		mustDo(t, s.ExpectLogouts(t.Context(), storage.ExpectRequest{User: user, Written: true}))
	}
	server.Do("HSET", s.userKey(users[3], logouts), "0123456789abcdef", "damaged")
	server.Do("SET", s.outboxKey(5), "damaged")
	taken, err := s.TakeLogouts(t.Context(), storage.TakeLogouts{Lease: time.Minute, Attempt: newAttempt()})
	if err == nil {
		t.Error("nobody is told of the damage")
	}
	if len(taken.Logouts) != outboxes-2 || slices.ContainsFunc(taken.Logouts, func(l storage.Logout) bool { return l.User == users[3] || l.User == users[5] }) {
		t.Errorf("%d were taken: %v", len(taken.Logouts), err)
	}
}

// A sign-out that is repeated after a failover has those told whose session it ends, and a new
// password takes the consents along that were given before it.
func TestH9RepeatedSignOutTells(t *testing.T) {
	s := openStore(t, redistest.Start(t))
	at := func(seconds int64) { s.move(atTime(time.Unix(1_800_000_000+seconds, 0))) }
	agree := func(session storage.SessionID, client storage.ClientTag) {
		t.Helper()
		r := storage.PutRequest{
			User: user, ID: storage.CodeID{9, client[0]}, Session: session, Client: client, Body: []byte("body"), Lifetime: time.Minute,
			Consent: &storage.Consent{Agreed: storage.GrantID{1}},
		}
		kept, err := s.PutCode(t.Context(), r)
		if mustDo(t, err); kept != storage.PutKept {
			t.Fatalf("consent: %d", kept)
		}
	}
	at(0)
	before, since := storage.SessionID{1}, storage.SessionID{2}
	noted(t, s, user, before, storage.ClientTag{1})
	agree(before, storage.ClientTag{3})
	// The node believes that another password has ended it; the server that it has now knows nothing.
	end := storage.EndRequest{User: user, Scope: storage.EndUser, DenyFor: time.Hour, Attempt: newAttempt()}
	s.keepEnd(end, time.Unix(1_800_000_010, 0), true)
	at(20)
	noted(t, s, user, since, storage.ClientTag{2})
	agree(since, storage.ClientTag{4})
	mustDo(t, s.replay(t.Context(), s.conn.client, 0, func(uint64) {}))
	mustDo(t, s.ExpectLogouts(t.Context(), storage.ExpectRequest{User: user, Written: true}))
	taken, err := s.TakeLogouts(t.Context(), storage.TakeLogouts{Lease: time.Minute, Attempt: newAttempt()})
	if mustDo(t, err); len(taken.Logouts) != 1 || taken.Logouts[0].Root != before || taken.Logouts[0].Client != (storage.ClientTag{1}) {
		t.Errorf("to be told: %+v", taken.Logouts)
	}
	agreed, err := s.Consents(t.Context(), user)
	if mustDo(t, err); len(agreed) != 1 || agreed[0].Client != (storage.ClientTag{4}) {
		t.Errorf("consents %+v", agreed)
	}
}
