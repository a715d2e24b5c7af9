package redisstore

import (
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestKeysEnd: each key of a user ends when the last thing in it does, and
// never before.
func TestKeysEnd(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	ctx := t.Context()
	left := func(kind string) time.Duration {
		t.Helper()
		ms, err := strconv.Atoi(server.Do("PTTL", s.userKey(user, kind)))
		mustDo(t, err)
		return time.Duration(ms) * time.Millisecond
	}
	besides := func(what string) { // M21: what is known of the person lives exactly as long
		t.Helper()
		if holds, persons := left(held), left(people); (holds-persons).Abs() > time.Second || (holds < 0) != (persons < 0) {
			t.Errorf("%s: the person's record lives for %v, and what the user holds for %v", what, persons, holds)
		}
	}
	want := func(what, kind string, least time.Duration) {
		t.Helper()
		besides(what)
		if got := left(kind); got < least-time.Second || got > least+least/8+time.Minute {
			t.Errorf("%s: the key %q lives for %v, want %v and a little more", what, kind, got, least)
		}
	}
	const forever, gone = -time.Millisecond, -2 * time.Millisecond
	wantExactly := func(what, kind string, exactly time.Duration) {
		t.Helper()
		besides(what)
		if got := left(kind); got != exactly {
			t.Errorf("%s: the key %q lives for %v, want %v", what, kind, got, exactly)
		}
	}
	grace := openRequest.TokenLifetime + time.Minute

	session, err := s.CreateSession(ctx, storage.SessionRequest{User: user, ID: storage.SessionID{1}, Lifetime: time.Hour, Profile: alice})
	mustDo(t, err)
	want("session", held, time.Hour+grace)
	create := func(id byte, lifetime, idle time.Duration) storage.Family {
		res, err := s.CreateFamily(ctx, storage.CreateRequest{
			User: user, ID: storage.FamilyID{id}, Begun: session.Begun, Lifetime: lifetime,
			IdleLifetime: idle, MaxActive: 9, DenyFor: time.Hour, Attempt: newAttempt(),
		})
		mustDo(t, err)
		return res.Family
	}
	rotate := func(f storage.Family, generation uint32, lifetime, idle time.Duration) storage.RotateOutcome {
		res, err := s.Rotate(ctx, storage.RotateRequest{
			Fingerprints: []storage.Fingerprint{{}},
			User:         user, Family: f.ID, Presented: generation, Rotation: true, Lifetime: lifetime,
			IdleLifetime: idle, DenyFor: time.Hour, Attempt: newAttempt(),
		})
		mustDo(t, err)
		return res.Outcome
	}
	create(1, 10*time.Hour, 5*time.Hour)
	want("idle end", held, 5*time.Hour+grace)
	f := create(2, 10*time.Hour, 0)
	want("absolute end", held, 10*time.Hour+grace)
	endless := create(3, 0, 0)
	wantExactly("a family without end", held, forever)
	if rotate(endless, 1, 0, 7*time.Hour) != storage.Rotated {
		t.Error("not rotated")
	}
	want("it has an end now", held, 10*time.Hour+grace)
	if rotate(endless, 2, 0, 0) != storage.Rotated {
		t.Error("not rotated")
	}
	wantExactly("without end again", held, forever)
	if rotate(endless, 1, 0, 0) != storage.RotateReused {
		t.Error("not killed")
	}
	want("killed", held, 10*time.Hour+grace)
	want("the kill's entry", denied, time.Hour)
	create(4, 0, 0)
	if _, err := s.End(ctx, storage.EndRequest{User: user, Scope: storage.EndFamily, Family: storage.FamilyID{4}, DenyFor: 2 * time.Hour}); err != nil {
		t.Error(err)
	}
	want("ended", held, 10*time.Hour+grace)
	want("its entry", denied, 2*time.Hour)

	putCode(t, s, 1)
	want("code", codes, time.Minute)
	_, err = s.TakeCode(ctx, storage.TakeRequest{User: user, ID: storage.CodeID{1}, DenyFor: time.Hour})
	mustDo(t, err)
	want("spent code", codes, time.Hour)

	create(5, 0, 0)
	wantExactly("without end at the last", held, forever)
	_, err = s.End(ctx, storage.EndRequest{User: user, Scope: storage.EndUser, DenyFor: 3 * time.Hour, Attempt: newAttempt()})
	mustDo(t, err)
	want("signed out, denied", denied, 3*time.Hour)
	want("signed out, its answer", ended, 3*time.Hour)
	wantExactly("signed out, codes", codes, gone)
	if left(held) < time.Minute {
		t.Errorf("signed out: the profile lives for %v", left(held))
	}
	if rotate(f, 1, 0, 0) != storage.RotateUnknown {
		t.Error("not ended")
	}
}

// TestExpiredAreRemoved: what has ended leaves with the next write, so that a
// user who logs in for years does not grow.
func TestExpiredAreRemoved(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	now := time.Now()
	for i := range 60 {
		now = now.Add(time.Hour)
		s.move(atTime(now))
		session, err := s.CreateSession(t.Context(), storage.SessionRequest{User: user, ID: storage.SessionID{byte(i)}, Lifetime: time.Hour, Profile: storage.Profile{Subject: "alice"}})
		mustDo(t, err)
		r := storage.CreateRequest{User: user, ID: storage.FamilyID{byte(i)}, Begun: session.Begun, Lifetime: 2 * time.Hour, MaxActive: 9, Attempt: newAttempt()}
		if res, err := s.CreateFamily(t.Context(), r); err != nil || !res.Created {
			t.Fatal(res, err)
		}
		mustDo(t, s.DenyToken(t.Context(), user, storage.TokenID{byte(i)}, now.Add(time.Minute)))
		putCode(t, s, byte(i))
	}
	for kind, most := range map[string]int{held: 6, denied: 17, codes: 17} {
		if n, _ := strconv.Atoi(server.Do("HLEN", s.userKey(user, kind))); n > most {
			t.Errorf("%d things are under %q, want at most %d", n, kind, most)
		}
	}
}

// TestLongProfile: a subject of any length comes back whole, shorter ones too,
// and the hash stays compact.
func TestLongProfile(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	for i, n := range []int{0, 1, 52, 53, 54, 61, 62, 63, 64, 200, 5000, 100_000, 3000, 117, 116, 10} {
		for _, fingerprint := range []storage.Fingerprint{{}, {1}} {
			profile := make([]byte, n)
			for j := range profile {
				profile[j] = byte(j*31 + n)
			}
			_, err := s.CreateSession(t.Context(), storage.SessionRequest{User: user, ID: storage.SessionID{1}, Lifetime: time.Hour, Profile: storage.Profile{Subject: string(profile), Fingerprint: fingerprint}})
			mustDo(t, err)
			got, err := s.Profile(t.Context(), user)
			if err != nil || got.Subject != string(profile) || got.Fingerprint != fingerprint {
				t.Errorf("%d bytes: got %d (%v)", n, len(got.Subject), err)
			}
			if encoding := server.Do("OBJECT", "ENCODING", s.userKey(user, held)); i < 10 && encoding != "listpack" {
				t.Errorf("%d bytes make it a %s", n, encoding)
			}
		}
	}
	if n := server.Do("HLEN", s.userKey(user, held)); n != "2" {
		t.Errorf("%s fields are left, want the session and the profile", n)
	}
}
