package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestLateCalls: what a server that stood still finds in its sockets, and nobody
// waits for any more, spends neither a refresh token nor a code.
func TestLateCalls(t *testing.T) {
	const timeout = 2 * time.Second
	for _, tt := range []struct {
		name string
		call func(ctx context.Context, s *Store, id byte) (bool, error) // whether it was there to be had
	}{
		{"refresh token", func(ctx context.Context, s *Store, id byte) (bool, error) {
			res, err := s.Rotate(ctx, storage.RotateRequest{
				Fingerprints: []storage.Fingerprint{{}},
				User:         user, Family: storage.FamilyID{id}, Presented: 1, Rotation: true, Lifetime: time.Hour, DenyFor: time.Hour, Attempt: newAttempt(),
			})
			return res.Outcome == storage.Rotated, err
		}},
		{"code", func(ctx context.Context, s *Store, id byte) (bool, error) {
			res, err := s.TakeCode(ctx, storage.TakeRequest{User: user, ID: storage.CodeID{id}, DenyFor: time.Hour, Attempt: newAttempt()})
			return res.Outcome == storage.CodeTaken, err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := redistest.Start(t)
			s := openStore(t, server, func(o *Options) { o.Timeout = timeout })
			ctx := t.Context()
			session := sessionWithGrants(t, s)
			_, err := s.PutCode(ctx, storage.PutRequest{User: user, ID: storage.CodeID{1}, Session: session, Body: []byte("{}"), Lifetime: time.Minute})
			mustDo(t, err)
			_, err = s.Beat(ctx, storage.BeatRequest{})
			mustDo(t, err)
			_, err = tt.call(ctx, s, 9) // the server knows the script from now on
			mustDo(t, err)

			server.Stop()
			if _, err := tt.call(ctx, s, 1); !errors.Is(err, ErrUnreachable) {
				t.Fatalf("a server that stands still: %v", err)
			}
			server.Continue()
			had, err := tt.call(ctx, s, 1)
			for errors.Is(err, ErrUnreachable) && ctx.Err() == nil {
				had, err = tt.call(ctx, s, 1)
			}
			if !had || err != nil {
				t.Errorf("the same again: had %v, %v", had, err)
			}
		})
	}
}

// TestLateThoughSomebodyWaits: a server whose clock is not what we took it for
// decides all the same.
func TestLateThoughSomebodyWaits(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	sessionWithGrants(t, s)
	s.serverClock.Store(&clockReading{at: time.Now(), server: time.Now().Add(-time.Hour)})
	for generation := uint32(1); generation < 3; generation++ {
		res, err := s.Rotate(t.Context(), storage.RotateRequest{
			Fingerprints: []storage.Fingerprint{{}},
			User:         user, Family: storage.FamilyID{1}, Presented: generation, Rotation: true, Lifetime: time.Hour, DenyFor: time.Hour, Attempt: newAttempt(),
		})
		mustDo(t, err)
		if res.Outcome != storage.Rotated {
			t.Errorf("generation %d: outcome %d", generation, res.Outcome)
		}
	}
}

// sessionWithGrants gives the user a session and the family 1.
func sessionWithGrants(t *testing.T, s *Store) storage.SessionID {
	t.Helper()
	id := storage.SessionID{1}
	session, err := s.CreateSession(t.Context(), storage.SessionRequest{User: user, ID: id, Lifetime: time.Hour, Profile: storage.Profile{Subject: "alice"}})
	mustDo(t, err)
	_, err = s.CreateFamily(t.Context(), storage.CreateRequest{
		User: user, ID: storage.FamilyID{1}, Begun: session.Begun, Lifetime: time.Hour, MaxActive: 9, DenyFor: time.Hour, Attempt: newAttempt(),
	})
	mustDo(t, err)
	return id
}
