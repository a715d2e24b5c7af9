package redisstore

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// longSubject is one of the longest: a login's name and 255 bytes.
const longSubject = 300

// TestWorstUser does what one user can do without end, and counts what the scripts
// have to read of him afterwards (A1, A3): each of them reads these keys and no
// others. How long Redis is at work then is only told.
func TestWorstUser(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	bob := newGreedy(t, s, server, "local|bob")
	bob.fill(1.25)
	for kind, most := range map[string]int{
		held:   storage.MaxFamilies + storage.MaxSessions + 1 + (longSubject+62)/63,
		denied: storage.MaxDenials + 1, codes: storage.MaxCodes, bodies: storage.MaxCodeBodies, consents: storage.MaxConsents,
	} {
		if n, _ := strconv.Atoi(server.Do("HLEN", s.userKey(bob.user, kind))); n == 0 || n > most {
			t.Errorf("%d things are under %q, want at most %d", n, kind, most)
		}
	}
	quiet := newGreedy(t, s, server, "local|quiet")
	quiet.fill(0)
	for _, who := range []*greedy{quiet, bob} {
		for _, line := range who.measure() {
			t.Log(line)
		}
	}
	if n, _ := strconv.Atoi(server.Do("LLEN", s.userKey(bob.user, ended))); n > storage.MaxFamilies {
		t.Errorf("%d families are listed as ended, want at most %d", n, storage.MaxFamilies)
	}
}

// greedy is a user who makes of everything as much as there may be.
type greedy struct {
	t       *testing.T
	s       *Store
	user    storage.UserTag
	name    string
	client  *redis.Client
	session storage.Session
	last    storage.Family
	n       uint64
}

func newGreedy(t *testing.T, s *Store, server *redistest.Server, subject string) *greedy {
	client := onlyClient(server)
	t.Cleanup(func() { _ = client.Close() })
	w := &greedy{t: t, s: s, user: storage.TagSubject(subject), name: subject, client: client}
	w.signIn()
	return w
}

func (w *greedy) id16() (id [16]byte) {
	w.n++
	copy(id[:], fmt.Sprintf("%016d", w.n))
	return id
}

func (w *greedy) signIn() {
	id := w.id16()
	session, err := w.s.CreateSession(w.t.Context(), storage.SessionRequest{
		User: w.user, ID: storage.SessionID(id[8:]), Lifetime: time.Hour, Profile: storage.Profile{Subject: strings.Repeat("p", longSubject), Person: storage.Person{Claims: make([]byte, tokens.MaxClaims)}},
		AuthTime: storage.AtLogin, DenyFor: time.Hour, ACR: "pwd",
	})
	mustDo(w.t, err)
	w.session = session
}

func (w *greedy) begin() {
	res, err := w.s.CreateFamily(w.t.Context(), storage.CreateRequest{
		User: w.user, ID: w.id16(), Client: storage.ClientTag{byte(w.n % 6)}, Session: w.session.ID, Begun: w.session.Begun,
		Lifetime: 720 * time.Hour, MaxActive: 200, DenyFor: time.Hour, Attempt: newAttempt(),
	})
	mustDo(w.t, err)
	w.last = res.Family
}

func (w *greedy) code() storage.CodeID {
	id := storage.CodeID(w.id16())
	_, err := w.s.PutCode(w.t.Context(), storage.PutRequest{
		User: w.user, ID: id, Session: w.session.ID, Body: make([]byte, 5<<10), Lifetime: time.Minute,
		Client: storage.ClientTag(id[8:]), Consent: &storage.Consent{Agreed: storage.GrantID{1}, Name: strings.Repeat("n", storage.MaxConsentName)},
	})
	mustDo(w.t, err)
	return id
}

func (w *greedy) take(id storage.CodeID) {
	_, err := w.s.TakeCode(w.t.Context(), storage.TakeRequest{User: w.user, ID: id, DenyFor: time.Hour, Attempt: newAttempt()})
	mustDo(w.t, err)
}

func (w *greedy) end(scope storage.EndScope, family storage.FamilyID) {
	_, err := w.s.End(w.t.Context(), storage.EndRequest{
		User: w.user, Scope: scope, Family: family, Session: w.session.ID, DenyFor: time.Hour, Attempt: newAttempt(),
	})
	mustDo(w.t, err)
}

// fill does it all, so much more often than the bounds are.
func (w *greedy) fill(times float64) {
	n := func(most int) int { return int(times * float64(most)) }
	for range n(storage.MaxSessions) {
		w.signIn()
	}
	for range n(storage.MaxFamilies) {
		w.begin()
	}
	for range n(storage.MaxDenials) {
		w.end(storage.EndFamily, w.id16())
	}
	for range n(storage.MaxCodes) {
		w.take(w.code())
	}
	for range n(storage.MaxCodeBodies) {
		w.code()
	}
}

// measure tells how long Redis works at each call.
func (w *greedy) measure() (lines []string) {
	rotations := uint32(0)
	w.begin()
	var ready []storage.CodeID
	for range 40 {
		ready = append(ready, w.code())
	}
	for _, call := range []struct {
		name string
		run  func()
	}{
		{"create session", w.signIn},
		{"session", func() {
			_, _, _, err := w.s.Session(w.t.Context(), w.user, w.session.ID, 0, storage.ClientTag{1})
			mustDo(w.t, err)
		}},
		{"put code", func() { w.code() }},
		{"take code", func() {
			w.take(ready[len(ready)-1])
			ready = ready[:len(ready)-1]
		}},
		{"create family", w.begin},
		{"rotate", func() {
			rotations++
			if rotations == 1 {
				w.begin()
			}
			_, err := w.s.Rotate(w.t.Context(), storage.RotateRequest{
				Fingerprints: []storage.Fingerprint{{}},
				User:         w.user, Family: w.last.ID, Client: w.last.Client, Presented: rotations, Rotation: true,
				Lifetime: 720 * time.Hour, DenyFor: time.Hour, Attempt: newAttempt(),
			})
			mustDo(w.t, err)
		}},
		{"denials", func() {
			_, err := w.s.Denials(w.t.Context(), []storage.UserTag{w.user})
			mustDo(w.t, err)
		}},
		{"end a family", func() { w.end(storage.EndFamily, w.id16()) }},
		{"end a session", func() { w.end(storage.EndSession, storage.FamilyID{}); w.signIn() }},
		{"end all", func() { w.end(storage.EndUser, storage.FamilyID{}) }},
	} {
		lines = append(lines, w.slowlog(call.name, call.run))
	}
	return lines
}

// slowlog runs a call some times and returns what Redis says of its scripts.
func (w *greedy) slowlog(name string, run func()) string {
	ctx := w.t.Context()
	mustDo(w.t, w.client.ConfigSet(ctx, "slowlog-log-slower-than", "0").Err())
	mustDo(w.t, w.client.ConfigSet(ctx, "slowlog-max-len", "4096").Err())
	mustDo(w.t, w.client.Do(ctx, "SLOWLOG", "RESET").Err())
	times := 32
	if name == "end all" {
		times = 1
	}
	for range times {
		run()
	}
	mustDo(w.t, w.client.ConfigSet(ctx, "slowlog-log-slower-than", "-1").Err())
	log, err := w.client.SlowLogGet(ctx, 4096).Result()
	mustDo(w.t, err)
	var sum, longest time.Duration
	n := 0
	for _, entry := range log {
		if strings.EqualFold(entry.Args[0], "evalsha") {
			sum, longest, n = sum+entry.Duration, max(longest, entry.Duration), n+1
		}
	}
	return fmt.Sprintf("%-12s %-16s %6d µs on average, %6d at most, of %d scripts", w.name, name, sum.Microseconds()/int64(max(n, 1)), longest.Microseconds(), n)
}
