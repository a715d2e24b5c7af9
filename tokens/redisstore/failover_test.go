package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// cutReplication keeps the replicas as they are: the primary refuses theirs.
func cutReplication(primary *redistest.Server) {
	primary.Do("ACL", "SETUSER", "default", "-psync", "-sync")
	primary.Do("CLIENT", "KILL", "TYPE", "replica")
}

// fate is what a node has decided and a promoted replica does not know.
type fate struct {
	s      *Store
	honest []*chain // rotated once
	ended  []*chain // each family ended
	out    []*chain // users signed out
	reused *chain
	codes  []storage.TakeRequest
	client storage.ClientTag
	marked time.Time
}

const (
	rotatedFamilies = 100
	revokedFamilies = 10
)

// prepare makes what the replicas still hear of.
func (f *fate) prepare(t *testing.T) {
	chains := func(name string, n int) (all []*chain) {
		for i := range n {
			all = append(all, newChain(t, f.s, fmt.Sprintf("local|%s%d", name, i)))
		}
		return all
	}
	f.honest = chains("honest", rotatedFamilies)
	f.ended, f.out = chains("ended", revokedFamilies), chains("out", revokedFamilies)
	f.reused = newChain(t, f.s, "local|reused")
	mustDo(t, f.reused.rotate(f.s))
	mustDo(t, f.reused.rotate(f.s))
	session, err := f.s.CreateSession(t.Context(), storage.SessionRequest{User: user, ID: storage.SessionID{7}, Lifetime: time.Hour, Profile: storage.Profile{Subject: "alice"}})
	mustDo(t, err)
	for i := range revokedFamilies {
		id := storage.CodeID{byte(i), 1}
		kept, err := f.s.PutCode(t.Context(), storage.PutRequest{User: user, ID: id, Session: session.ID, Body: []byte("code"), Lifetime: time.Minute})
		if err != nil || kept != storage.PutKept {
			t.Fatal(kept, err)
		}
		f.codes = append(f.codes, storage.TakeRequest{User: user, ID: id, DenyFor: time.Hour, Attempt: newAttempt()})
	}
	f.client = storage.ClientTag{9}
}

// decide makes what they miss.
func (f *fate) decide(t *testing.T) {
	for _, c := range f.honest {
		mustDo(t, c.rotate(f.s))
	}
	for _, c := range f.ended {
		_, err := f.s.End(t.Context(), storage.EndRequest{User: c.request.User, Scope: storage.EndFamily, Family: c.request.Family, DenyFor: time.Hour, Attempt: newAttempt()})
		mustDo(t, err)
	}
	for _, c := range f.out {
		_, err := f.s.End(t.Context(), storage.EndRequest{User: c.request.User, Scope: storage.EndUser, DenyFor: time.Hour, Attempt: newAttempt()})
		mustDo(t, err)
	}
	stolen := f.reused.request
	stolen.Presented, stolen.Attempt = 1, newAttempt()
	if res, err := f.s.Rotate(t.Context(), stolen); err != nil || res.Outcome != storage.RotateReused {
		t.Fatalf("reuse: %+v, %v", res, err)
	}
	for _, r := range f.codes {
		if res, err := f.s.TakeCode(t.Context(), r); err != nil || res.Outcome != storage.CodeTaken {
			t.Fatalf("code: %+v, %v", res, err)
		}
	}
	mustDo(t, f.s.DenyToken(t.Context(), user, storage.TokenID{5}, time.Now().Add(time.Hour)))
	end, err := f.s.EndClient(t.Context(), f.client, 0)
	mustDo(t, err)
	f.marked = end.Before
}

// check asks a node that came later: nothing that was ended lives, no code works again.
func (f *fate) check(t *testing.T, s *Store) {
	t.Helper()
	for _, c := range append(append(f.ended, f.out...), f.reused) {
		r := c.request
		r.Attempt = newAttempt()
		if res, err := s.Rotate(t.Context(), r); err != nil || res.Outcome != storage.RotateUnknown {
			t.Errorf("a family that was ended: %+v, %v", res, err)
		}
		d, err := s.Denials(t.Context(), []storage.UserTag{r.User})
		mustDo(t, err)
		if d[0].Before.IsZero() && len(d[0].Entries) == 0 {
			t.Error("the access tokens of a family that was ended are not denied")
		}
	}
	for _, r := range f.codes {
		r.Attempt = newAttempt()
		if res, err := s.TakeCode(t.Context(), r); err != nil || res.Outcome != storage.CodeSpent {
			t.Errorf("a spent code: outcome %d, %v", res.Outcome, err)
		}
	}
	d, err := s.Denials(t.Context(), []storage.UserTag{user})
	mustDo(t, err)
	if len(d[0].Entries) == 0 {
		t.Error("a token that was denied is not")
	}
	marks, err := s.ClientWatermarks(t.Context())
	if err != nil || !marks[f.client].Before.Equal(f.marked) {
		t.Errorf("watermark %v, %v, want %v", marks[f.client], err, f.marked)
	}
}

// TestStaleReplicaPromoted: R-12. The replicas miss a hundred rotations, and
// revocations and codes; the primary dies.
func TestStaleReplicaPromoted(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	t.Parallel()
	sentinels := redistest.StartSentinels(t)
	o := Options{Mode: Sentinel, MasterName: redistest.MasterName, Addresses: sentinels.Addrs}
	f := &fate{s: New(o)}
	defer f.s.Close()
	_, err := f.s.Open(t.Context(), openRequest)
	mustDo(t, err)
	f.prepare(t)
	primary := sentinels.Primary()
	if got := primary.Do("WAIT", "2", "5000"); got != "2" {
		t.Fatalf("%s replicas are in step", got)
	}
	cutReplication(primary)
	f.decide(t)
	primary.Kill()
	awaitBeat(t, f.s, 1)

	other := New(o) // which remembers nothing
	defer other.Close()
	waitFor(t, "the sentinel that it asks to know the new primary", func() bool {
		_, err = other.Open(t.Context(), openRequest)
		return !errors.Is(err, ErrUnreachable)
	})
	mustDo(t, err)
	f.check(t, other)
	healed := 0
	for _, c := range f.honest {
		r := c.request
		r.Attempt = newAttempt()
		res, err := other.Rotate(t.Context(), r)
		if err != nil || res.Outcome != storage.RotateHealed || res.Family.Generation != r.Presented+1 {
			t.Errorf("an honest client: %+v, %v", res, err)
			continue
		}
		healed++
	}
	t.Logf("%d families healed, of %d; nothing that was ended came back", healed, rotatedFamilies)
}

// awaitBeat waits until a store answers and has seen some failovers.
func awaitBeat(t *testing.T, s *Store, failovers uint64) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		beat, err := s.Beat(t.Context(), storage.BeatRequest{})
		if err == nil && beat.Failovers == failovers {
			return
		}
		if time.Since(start) > 30*time.Second {
			t.Fatalf("beat %+v, %v", beat, err)
		}
	}
}

// TestRepeatedSignOut: a sign-out that is repeated leaves a login alone that
// came since, whether it had been lost or not.
func TestRepeatedSignOut(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("lost ", lost), func(t *testing.T) {
			server := redistest.Start(t)
			s := openStore(t, server)
			s.move(atTime(time.Unix(1_800_000_000, 0)))
			before := newChain(t, s, "local|alice")
			end := storage.EndRequest{User: user, Scope: storage.EndUser, DenyFor: time.Hour, Attempt: newAttempt()}
			if lost { // the node believes that it was
				s.ended(end, time.Unix(1_800_000_010, 0))
			} else {
				s.move(atTime(time.Unix(1_800_000_010, 0)))
				_, err := s.End(t.Context(), end)
				mustDo(t, err)
			}
			s.move(atTime(time.Unix(1_800_000_020, 0)))
			since, err := beginChain(s, "local|alice", 2)
			mustDo(t, err)
			mustDo(t, s.replay(t.Context(), s.conn.client, 0, func(uint64) {}))
			if res, err := s.Rotate(t.Context(), before.request); err != nil || res.Outcome != storage.RotateUnknown {
				t.Errorf("what was signed out: %+v, %v", res, err)
			}
			mustDo(t, since.rotate(s))
			d, err := s.Denials(t.Context(), []storage.UserTag{user})
			if err != nil || d[0].Before.Unix() != 1_800_000_010 {
				t.Errorf("denied before %v, %v", d[0].Before, err)
			}
		})
	}
}

// TestRepeatedDisabling: who was disabled and enabled again is not disabled by
// what is repeated after a failover; who was disabled last is.
func TestRepeatedDisabling(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	disable := func() {
		_, err := s.End(t.Context(), storage.EndRequest{User: user, Scope: storage.DisableUser, DenyFor: time.Hour, Attempt: newAttempt()})
		mustDo(t, err)
	}
	disabled := func() bool {
		d, err := s.Denials(t.Context(), []storage.UserTag{user})
		mustDo(t, err)
		return slices.ContainsFunc(d[0].Entries, func(e storage.Denial) bool { return e.Kind == storage.DenyUser })
	}
	disable()
	if was, err := s.Enable(t.Context(), user, newAttempt()); err != nil || !was {
		t.Fatal(was, err)
	}
	mustDo(t, s.replay(t.Context(), s.conn.client, 0, func(uint64) {}))
	if disabled() {
		t.Error("who was enabled again is disabled")
	}
	disable()
	mustDo(t, s.replay(t.Context(), s.conn.client, 0, func(uint64) {}))
	if !disabled() {
		t.Error("who was disabled again is not")
	}
}

// TestReplayHoldsUpNobodyElse: while a journal is repeated on one server, others
// are connected to, and whoever waits for this one leaves when their time is over.
func TestReplayHoldsUpNobodyElse(t *testing.T) {
	s := openStore(t, redistest.Start(t))
	client := s.conn.client
	replayed, err := s.primaries.replays.take(t.Context(), "one", 1)
	mustDo(t, err)
	mustDo(t, s.meet(t.Context(), "two", client))
	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.meet(brief, "one", client); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("meeting the server where a journal is repeated: %v", err)
	}
	if n := s.failovers(); n != 0 {
		t.Errorf("%d failovers", n)
	}
	replayed()
	mustDo(t, s.meet(t.Context(), "one", client))
}

// TestJournalIsBounded by number and age, and a replay is gone on with.
func TestJournalIsBounded(t *testing.T) {
	var j journal
	for i := range journalMax + 10 {
		j.add(theScripts.end, []string{fmt.Sprint(i)})
	}
	page, next := j.from(0)
	if len(j.entries) != journalMax || page[0].keys[0] != "10" || len(page) != journalPage || next != 10+journalPage {
		t.Errorf("%d entries, the first page begins with %s, has %d and ends before %d", len(j.entries), page[0].keys[0], len(page), next)
	}
	if page, _ = j.from(next); page[0].keys[0] != fmt.Sprint(next) {
		t.Errorf("the next page begins with %s", page[0].keys[0])
	}
	for i := range j.entries {
		j.entries[i].at = time.Now().Add(-2 * journalFor)
	}
	if page, next = j.from(next); len(page) != 0 || next != journalMax+10 {
		t.Errorf("old entries: %d, then %d", len(page), next)
	}
}

// TestRestartedServer: a server that starts anew without its data has lost all
// of them, too.
func TestRestartedServer(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	mustDo(t, s.DenyToken(t.Context(), user, storage.TokenID{5}, time.Now().Add(time.Hour)))
	if beat, err := s.Beat(t.Context(), storage.BeatRequest{}); err != nil || beat.Failovers != 0 {
		t.Fatalf("%+v, %v", beat, err)
	}
	server.Kill()
	server.Run()
	awaitBeat(t, s, 1)
	d, err := s.Denials(t.Context(), []storage.UserTag{user})
	if err != nil || len(d[0].Entries) != 1 {
		t.Errorf("denied %+v, %v", d, err)
	}
}

// TestWaitReplicas: R-13. A write that no replica has is told, or an error; the
// client's retry gets the same successor.
func TestWaitReplicas(t *testing.T) {
	primary, replica := replicated(t)
	var missed atomic.Int32
	wait := func(strict bool) *Store {
		return openStore(t, primary, func(o *Options) {
			o.WaitReplicas, o.Timeout = WaitReplicas{Number: 1, Timeout: 3 * time.Second, Strict: strict}, 5*time.Second
			o.OnUnreplicated = func() { missed.Add(1) }
		})
	}
	lax, strict, none := wait(false), wait(true), openStore(t, primary)
	for name, s := range map[string]*Store{"no wait": none, "lax": lax, "strict": strict} {
		c := newChain(t, s, "local|"+name)
		start := time.Now()
		for range 200 {
			mustDo(t, c.rotate(s))
		}
		t.Logf("%s: %v for each rotation", name, time.Since(start)/200)
	}
	if missed.Load() != 0 {
		t.Fatalf("%d writes were not replicated", missed.Load())
	}
	c := newChain(t, strict, "local|alice")
	c.request.Leeway = time.Minute
	replica.Stop()
	retry := c.request
	retry.Attempt = newAttempt()
	if res, err := strict.Rotate(t.Context(), retry); err == nil {
		t.Errorf("strict and not replicated: %+v", res)
	}
	if missed.Load() == 0 {
		t.Error("nobody hears of what was not replicated")
	}
	before := missed.Load()
	d := newChain(t, lax, "local|bob")
	mustDo(t, d.rotate(lax))
	if missed.Load() == before {
		t.Error("nobody hears of what was not replicated, but answered")
	}
	retry.Attempt = newAttempt()
	if res, err := strict.Rotate(t.Context(), retry); err == nil {
		t.Errorf("the same again, strict and still not replicated: %+v", res)
	}
	replica.Continue()
	within(t, "the replica to be back", func() bool { return !strict.replication.behind(anywhere) })
	retry.Attempt = newAttempt()
	res, err := strict.Rotate(t.Context(), retry)
	if err != nil || res.Outcome != storage.RotateReplayed || res.Family.Generation != 2 {
		t.Errorf("the retry: %+v, %v", res, err)
	}
}
