package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// TestMemory holds the store to its budget: bytes of Redis's memory for each
// live refresh token, with the subject.
func TestMemory(t *testing.T) {
	t.Parallel()
	users := 5_000 // Redis's tables are as full as with 20,000
	if long {
		users = 20_000
	}
	for _, c := range []struct{ perUser, users, budget int }{{1, users, 300}, {3, users / 2, 175}, {10, users / 4, 120}} {
		t.Run(fmt.Sprintf("%d per user", c.perUser), func(t *testing.T) {
			t.Parallel()
			got := bytesPerToken(t, c.users, c.perUser, profileOf(""))
			t.Logf("%d users with %d each: %.1f bytes per live refresh token", c.users, c.perUser, got)
			if got > float64(c.budget) {
				t.Errorf("%.1f bytes per token, want at most %d", got, c.budget)
			}
		})
	}
	t.Run("with claims", func(t *testing.T) { // which the budget leaves out
		t.Parallel()
		profile := profileOf(`{"email":"alice@example.com","email_verified":true,"name":"Alice Liddell"}`)
		t.Logf("%.1f bytes per live refresh token", bytesPerToken(t, users, 1, profile))
	})
}

// profileOf returns what the core keeps of a local user.
func profileOf(claims string) func(subject string) storage.Profile {
	return func(subject string) storage.Profile {
		return storage.Profile{Subject: subject, Fingerprint: storage.FingerprintOf(subject), Person: storage.Person{Claims: []byte(claims)}}
	}
}

// bytesPerToken measures what a live refresh token takes.
func bytesPerToken(t *testing.T, users, perUser int, profile func(subject string) storage.Profile) float64 {
	return bytesPerUser(t, users, func(s *Store, subject string) error { return fillUser(s, subject, perUser, profile) }) / float64(perUser)
}

// fillUser gives a user some families. His session is over: it is not counted.
func fillUser(s *Store, subject string, families int, profile func(string) storage.Profile) error {
	ctx := context.Background()
	user := storage.TagSubject(subject)
	session, err := s.CreateSession(ctx, storage.SessionRequest{User: user, ID: storage.SessionID{1}, Lifetime: time.Hour, Profile: profile(subject)})
	if err != nil {
		return err
	}
	for i := range families {
		r := storage.CreateRequest{
			User: user, ID: storage.FamilyID{byte(i), 1}, Begun: session.Begun, Session: session.ID,
			Lifetime: 30 * 24 * time.Hour, IdleLifetime: 15 * 24 * time.Hour, MaxActive: 200, Attempt: storage.Attempt{1},
		}
		if res, err := s.CreateFamily(ctx, r); err != nil || !res.Created {
			return fmt.Errorf("created %v: %w", res.Created, err)
		}
	}
	return s.conn.client.HDel(ctx, s.userKey(user, held), string(session.ID[:])).Err()
}

// onlyData makes a server keep nothing of its commands but what they are for:
// neither how long they took (Redis 7 and later) nor which were slow.
func onlyData(t *testing.T, server *redistest.Server) {
	t.Helper()
	client := onlyClient(server)
	defer client.Close()
	mustDo(t, client.ConfigSet(t.Context(), "slowlog-log-slower-than", "-1").Err())
	_ = client.ConfigSet(t.Context(), "latency-tracking", "no").Err() // unknown before Redis 7
}

// onlyClient has one connection.
func onlyClient(server *redistest.Server) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: 1, Protocol: 2, DisableIdentity: true})
}

// usedMemory is what the data take, and one connection: once nobody else is
// connected and Redis has given back outgrown tables and that connection's first
// buffer, which it does now and then.
func usedMemory(t *testing.T, server *redistest.Server) int64 {
	t.Helper()
	client := onlyClient(server)
	defer client.Close()
	var used, before int64
	waitFor(t, "Redis to have tidied up", func() bool {
		time.Sleep(1200 * time.Millisecond)
		clients, err := client.Info(t.Context(), "clients").Result()
		mustDo(t, err)
		before, used = used, allocated(t, client)
		return used == before && strings.Contains(clients, "connected_clients:1\r")
	})
	return used
}

// allocated returns what a server has allocated.
func allocated(t *testing.T, client *redis.Client) int64 {
	t.Helper()
	stats, err := client.Do(t.Context(), "MEMORY", "STATS").Slice()
	mustDo(t, err)
	i := slices.Index(stats, any("total.allocated"))
	if i < 0 {
		t.Fatal("MEMORY STATS has no total.allocated")
	}
	return stats[i+1].(int64)
}
