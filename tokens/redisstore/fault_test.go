package redisstore

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// decision is one call with what it needs, and what it must have left behind.
type decision struct {
	name    string
	prepare func(t *testing.T, s *Store) (call func(*Store) (any, error), check func(*testing.T, *Store))
}

var user = storage.TagSubject("local|alice")

// alice is the profile of a user of whom something is known.
var alice = storage.Profile{Subject: "local|alice", Person: storage.Person{Claims: []byte(`{"name":"Alice"}`)}}

// decisions are those that a client's fate hangs on.
var decisions = []decision{
	{"rotate", func(t *testing.T, s *Store) (func(*Store) (any, error), func(*testing.T, *Store)) {
		c := newChain(t, s, "local|alice")
		c.request.Leeway, c.request.Attempt = 0, newAttempt()
		r := c.request
		call := func(s *Store) (any, error) {
			res, err := s.Rotate(t.Context(), r)
			res.IssueAt = time.Time{}
			return res, err
		}
		return call, func(t *testing.T, s *Store) {
			c.request.Presented = 2
			if err := c.rotate(s); err != nil {
				t.Error(err)
			}
		}
	}},
	{"kill", func(t *testing.T, s *Store) (func(*Store) (any, error), func(*testing.T, *Store)) {
		c := newChain(t, s, "local|alice")
		for range 3 {
			mustDo(t, c.rotate(s))
		}
		r := c.request
		r.Presented, r.Attempt = 1, newAttempt()
		call := func(s *Store) (any, error) { return s.Rotate(t.Context(), r) }
		return call, func(t *testing.T, s *Store) {
			d, err := s.Denials(t.Context(), []storage.UserTag{user})
			if err != nil || len(d[0].Entries) != 1 {
				t.Errorf("denylist %+v, %v", d, err)
			}
			wantFamilies(t, s, 0)
		}
	}},
	{"create family", func(t *testing.T, s *Store) (func(*Store) (any, error), func(*testing.T, *Store)) {
		newChain(t, s, "local|alice")
		r := storage.CreateRequest{
			User: user, ID: storage.FamilyID{9}, Client: storage.ClientTag{1}, Begun: time.Now().Add(time.Hour),
			Lifetime: time.Hour, MaxActive: 1, DenyFor: time.Hour, Attempt: newAttempt(),
		}
		call := func(s *Store) (any, error) {
			res, err := s.CreateFamily(t.Context(), r)
			res.IssueAt = time.Time{}
			return res, err
		}
		return call, func(t *testing.T, s *Store) { wantFamilies(t, s, 1) }
	}},
	{"take code", func(t *testing.T, s *Store) (func(*Store) (any, error), func(*testing.T, *Store)) {
		putCode(t, s, 1)
		r := storage.TakeRequest{User: user, ID: storage.CodeID{1}, DenyFor: time.Hour, Attempt: newAttempt()}
		call := func(s *Store) (any, error) {
			res, err := s.TakeCode(t.Context(), r)
			res.IssueAt, res.Now = time.Time{}, time.Time{}
			return res, err
		}
		return call, func(t *testing.T, s *Store) {
			r.Attempt = newAttempt()
			if res, err := s.TakeCode(t.Context(), r); err != nil || res.Outcome != storage.CodeSpent {
				t.Errorf("taken again: %+v, %v", res, err)
			}
		}
	}},
	{"end family", endDecision(storage.EndFamily)},
	{"end session", endDecision(storage.EndSession)},
	{"end user", endDecision(storage.EndUser)},
	{"swap keys", func(t *testing.T, _ *Store) (func(*Store) (any, error), func(*testing.T, *Store)) {
		call := func(s *Store) (any, error) { return s.SwapKeys(t.Context(), 0, []byte("sealed")) }
		return call, func(t *testing.T, s *Store) {
			if _, version, err := s.Keys(t.Context()); err != nil || version != 1 {
				t.Errorf("version %d, %v", version, err)
			}
		}
	}},
}

// putCode keeps a code of a session of Alice.
func putCode(t *testing.T, s *Store, id byte) {
	t.Helper()
	session, err := s.CreateSession(t.Context(), storage.SessionRequest{User: user, ID: storage.SessionID{id, 1}, Lifetime: time.Hour, Profile: alice})
	mustDo(t, err)
	kept, err := s.PutCode(t.Context(), storage.PutRequest{User: user, ID: storage.CodeID{id}, Session: session.ID, Body: []byte("body"), Lifetime: time.Minute})
	if err != nil || kept != storage.PutKept {
		t.Fatalf("PutCode: kept %v, %v", kept, err)
	}
}

func endDecision(scope storage.EndScope) func(*testing.T, *Store) (func(*Store) (any, error), func(*testing.T, *Store)) {
	return func(t *testing.T, s *Store) (func(*Store) (any, error), func(*testing.T, *Store)) {
		c := newChain(t, s, "local|alice")
		r := storage.EndRequest{User: user, Scope: scope, Family: c.request.Family, Session: storage.SessionID{1}, DenyFor: time.Hour, Attempt: newAttempt()}
		call := func(s *Store) (any, error) {
			res, err := s.End(t.Context(), r)
			return res.Families, err
		}
		return call, func(t *testing.T, s *Store) { wantFamilies(t, s, 0) }
	}
}

// TestLostConnections breaks the connection around each decision, before the
// script reaches Redis and after it ran: go-redis sends it again, and the
// caller gets the one answer..
func TestLostConnections(t *testing.T) {
	server := redistest.Start(t)
	for _, c := range slices.Concat(decisions, otherDecisions) {
		for name, fault := range map[string]redistest.Fault{"before": redistest.Before, "after": redistest.After} {
			for _, times := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s/%s/%d", c.name, name, times), func(t *testing.T) {
					testLost(t, server, c, fault, times)
				})
			}
		}
	}
}

func testLost(t *testing.T, server *redistest.Server, c decision, fault redistest.Fault, times int) {
	proxy := redistest.NewProxy(t, server.Addr)
	keys := prefix()
	direct := openStore(t, server, func(o *Options) { o.KeyPrefix = keys })
	broken := openStore(t, server, func(o *Options) { o.KeyPrefix, o.Addresses = keys, []string{proxy.Addr} })
	warm(t, direct) // else the first answer that is lost is NOSCRIPT
	call, check := c.prepare(t, direct)
	quiet(broken)
	_, err := broken.look(t.Context(), broken.conn) // else the first decision does
	mustDo(t, err)
	proxy.Arm(fault, times)
	got, err := call(broken)
	if err != nil {
		t.Fatalf("the call failed: %v", err)
	}
	if left := proxy.Left(); left != 0 {
		t.Fatalf("the connection broke %d times less than it should", left)
	}
	want := map[redistest.Fault]int{redistest.Before: 1, redistest.After: 1 + times}[fault]
	if c.name == "kill" {
		want++ // it ends nothing by the first one
	}
	if proxy.Scripts() != want {
		t.Errorf("%d scripts reached Redis, want %d", proxy.Scripts(), want)
	}
	again, err := call(direct)
	if err != nil || !reflect.DeepEqual(got, again) {
		t.Errorf("answered %+v, and to the same call again %+v (%v)", got, again, err)
	}
	check(t, direct)
}

// quiet waits until the watch has nothing in flight that a proxy could take for
// the call under test, and keeps it from asking again.
func quiet(s *Store) {
	s.conn.stop()
	s.conn.watches.Wait()
}

// warm runs each script once, so that the server knows it.
func warm(t *testing.T, s *Store) {
	t.Helper()
	for _, sc := range []*script{
		s.scripts().rotate, s.scripts().createFamily, s.scripts().end, s.scripts().takeCode, s.scripts().swapKeys, s.scripts().createSession, s.scripts().putCode,
		s.scripts().denyToken, s.scripts().endClient, s.scripts().enable, s.scripts().putDevice, s.scripts().decideDevice, s.scripts().pollDevice, s.scripts().useAssertion,
		s.scripts().putGrant, s.scripts().beginRecheck, s.scripts().endRecheck, s.scripts().feedAppend, s.scripts().vouched, s.scripts().unanswered,
		s.scripts().putAlias, s.scripts().rebind,
	} {
		mustDo(t, sc.Load(t.Context(), s.conn.client).Err())
	}
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantFamilies(t *testing.T, s *Store, want int) {
	t.Helper()
	if live, err := s.ListFamilies(context.Background(), user); err != nil || len(live) != want {
		t.Errorf("%d families live (%v), want %d", len(live), err, want)
	}
}

// TestStaleAnswer gives a call another one's answer: it must be an error, and
// never somebody else's state..
func TestStaleAnswer(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr)
	s := openStore(t, server, func(o *Options) { o.Addresses = []string{proxy.Addr} })
	c := newChain(t, s, "local|alice")
	mustDo(t, c.rotate(s))
	quiet(s)
	for name, call := range map[string]func() error{
		"denials":  func() error { _, err := s.Denials(t.Context(), []storage.UserTag{user}); return err },
		"profile":  func() error { _, err := s.Profile(t.Context(), user); return err },
		"families": func() error { _, err := s.ListFamilies(t.Context(), user); return err },
	} {
		if err := call(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		proxy.Arm(redistest.Stale, 1)
		if err := call(); err == nil {
			t.Errorf("%s: another call's answer was taken", name)
		}
		for range 5 {
			if err := call(); err != nil {
				t.Errorf("%s: the connection that lied is still in use: %v", name, err)
			}
		}
	}
}

// TestScriptFlush takes the scripts away: R-19.
func TestScriptFlush(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	c := newChain(t, s, "local|alice")
	users := make([]storage.UserTag, 3*denialsPerScript)
	for range 3 {
		server.Do("SCRIPT", "FLUSH")
		mustDo(t, c.rotate(s))
		if d, err := s.Denials(t.Context(), users); err != nil || len(d) != len(users) {
			t.Errorf("%d denylists, %v", len(d), err)
		}
		server.Do("SCRIPT", "FLUSH")
		if d, err := s.Denials(t.Context(), users); err != nil || len(d) != len(users) {
			t.Errorf("%d denylists, %v", len(d), err)
		}
	}
}
