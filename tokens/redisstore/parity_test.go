package redisstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// FuzzDecide holds lua/rotate.lua and storage.Decide together: whatever sequence
// of requests, both tell the same outcome and leave the same record.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	server := redistest.Start(f)
	f.Fuzz(func(t *testing.T, seed uint64) {
		p := &parity{rand: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
		s := openStore(t, server, func(o *Options) { o.KeyPrefix = prefix() })
		p.begin(t, s)
		for range 25 {
			p.step(t, s)
		}
	})
}

// parity is a family in the store and the one that it should be.
type parity struct {
	rand    *rand.Rand
	now     time.Time
	family  storage.Family
	ended   bool
	vouched time.Time // when parityNode last did
}

// parityGroups are those of rules; the person is in all but the first.
var parityGroups = []storage.GroupTag{{1}, {1, 1}, {2}, {3}}

// parityNode is a node that may be silent.
var parityNode = storage.NodeMark{200, 200, 200}

// pick returns one of the choices.
func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

func (p *parity) begin(t *testing.T, s *Store) {
	s.move(atTime(p.now))
	c := newChain(t, s, "local|alice")
	_, err := s.CreateSession(t.Context(), storage.SessionRequest{User: c.request.User, ID: storage.SessionID{8}, Profile: storage.Profile{
		Subject: "local|alice", Fingerprint: storage.Fingerprint{1}, Person: storage.Person{Groups: parityGroups[1:]},
	}})
	mustDo(t, err)
	r := storage.CreateRequest{
		User: c.request.User, ID: storage.FamilyID{7}, Client: storage.ClientTag{1}, Grant: storage.GrantID{1}, MaxActive: 9,
		Begun: p.now, AuthTime: p.now, Lifetime: pick(p.rand, 0, time.Hour, 90*time.Second+1), IdleLifetime: pick(p.rand, 0, time.Minute, 1500*time.Millisecond),
		Attempt: pick(p.rand, storage.Attempt{1}, storage.Attempt{}),
	}
	res, err := s.CreateFamily(t.Context(), r)
	if err != nil || !res.Created {
		t.Fatalf("created %v, %v", res.Created, err)
	}
	if want := storage.Begin(r, p.now, p.now); !same(res.Family, want) {
		t.Fatalf("began %+v, want %+v", res.Family, want)
	}
	p.family = res.Family
}

func (p *parity) step(t *testing.T, s *Store) {
	p.now = p.now.Add(pick(p.rand, 0, -time.Millisecond, -2*time.Second, time.Millisecond, 999*time.Millisecond, time.Second, 10*time.Second, 50*time.Second, 20*time.Minute/time.Duration(1+p.rand.IntN(100))).Truncate(time.Millisecond))
	s.move(atTime(p.now))
	p.speak(t, s)
	r := storage.RotateRequest{
		User: storage.TagSubject("local|alice"), Family: p.family.ID, Client: storage.ClientTag{1}, Grant: storage.GrantID{1}, Fingerprints: []storage.Fingerprint{{1}},
		Presented: uint32(max(1, int64(p.family.Generation)+pick(p.rand, int64(0), 0, 0, -1, -1, -2, 1, 5, 1<<31))),
		Rotation:  p.rand.IntN(4) > 0, Leeway: pick(p.rand, 0, -time.Millisecond, -2*time.Second, time.Millisecond, 1500*time.Microsecond, 10*time.Second),
		Lifetime: pick(p.rand, 0, time.Hour, time.Hour, 30*time.Second), IdleLifetime: pick(p.rand, 0, time.Minute, time.Minute+1, 1500*time.Millisecond),
		Settle:  pick(p.rand, 0, 0, -time.Millisecond, time.Millisecond, 1500*time.Microsecond, 10*time.Second),
		Attempt: pick(p.rand, newAttempt(), newAttempt(), p.silentAttempt(), p.silentAttempt(), p.family.Attempt, storage.Attempt{}),
	}
	r.Unused, r.Spare = p.rand.IntN(3) == 0, p.rand.IntN(3) == 0
	if p.rand.IntN(20) == 0 {
		r.Client = storage.ClientTag{2}
	}
	if p.rand.IntN(20) == 0 {
		r.Grant = storage.GrantID{2}
	}
	if p.rand.IntN(10) == 0 {
		r.BegunAfter = p.family.Created.Add(pick(p.rand, -time.Second, -time.Nanosecond, 0, time.Nanosecond, time.Second))
	}
	for range p.rand.IntN(3) { // rules, of which some hold
		r.Groups = append(r.Groups, pick(p.rand, storage.AnyOf{parityGroups[0]}, parityGroups[:2], parityGroups[1:], storage.AnyOf{{0xff}}, storage.AnyOf{}, parityGroups[2:]))
	}
	want, next := storage.Decide(p.family, parityGroups[1:], r, p.now, p.silent()...)
	if p.ended {
		want = storage.RotateUnknown
	}
	got, err := s.Rotate(t.Context(), r)
	if errors.Is(err, errUnsure) && (want == storage.RotateReused || want == storage.RotateSpared) && p.family.Rotated.After(p.vouched) && p.silent() == nil {
		return // the node has yet to say whether it has answered
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.Outcome != want {
		t.Fatalf("%+v presented to %+v at %v: outcome %d, Decide says %d", r, p.family, p.now, got.Outcome, want)
	}
	switch want {
	case storage.Rotated, storage.RotateReplayed, storage.RotateKept, storage.RotateHealed, storage.RotateYoung:
		if !same(got.Family, next) {
			t.Fatalf("%+v presented to %+v: now %+v, Decide says %+v", r, p.family, got.Family, next)
		}
		if want == storage.Rotated && next.Generation == p.family.Generation && next.Attempt == p.family.Attempt || want == storage.RotateReplayed || want == storage.RotateYoung || want == storage.RotateKept && r.Unused {
			return // nothing is written
		}
		p.family = next
	case storage.RotateReused:
		p.ended = true
	default:
	}
}

// silentAttempt is one of the node that may be silent.
func (p *parity) silentAttempt() storage.Attempt {
	a := newAttempt()
	copy(a[3:], a[:5])
	copy(a[:], parityNode[:])
	return a
}

// speak lets the node vouch for itself, or tell that something was not answered.
func (p *parity) speak(t *testing.T, s *Store) {
	switch p.rand.IntN(6) {
	case 0:
		_, err := s.Beat(t.Context(), storage.BeatRequest{Node: parityNode, Settled: true})
		mustDo(t, err)
		s.self.Store(storage.NodeMark{}) // else it would not be silent to this store
		p.vouched = p.now
	case 1, 2:
		r := storage.UnansweredRequest{
			User: storage.TagSubject("local|alice"), Family: p.family.ID,
			Presented: uint32(max(1, int64(p.family.Generation)+pick(p.rand, int64(0), -1, -1, -1, -2))),
			Attempts:  pick(p.rand, nil, []storage.Attempt{newAttempt()}, []storage.Attempt{newAttempt(), p.family.Attempt}, []storage.Attempt{{}}),
			Asked:     p.family.Rotated.Add(pick(p.rand, 0, -time.Millisecond, time.Millisecond, 10*time.Second, 10*time.Second-time.Millisecond)),
			Leeway:    pick(p.rand, 0, time.Millisecond, 10*time.Second),
		}
		mustDo(t, s.Unanswered(t.Context(), r))
		if marked, owed := p.family.Unanswered(r); owed {
			p.family = marked
		}
	}
}

// silent is what there is to know about the node.
func (p *parity) silent() []storage.Silence {
	if silence, silent := storage.SilenceOf(parityNode, p.vouched, p.now); silent && !p.vouched.IsZero() {
		return []storage.Silence{silence}
	}
	return nil
}

// same compares records.
func same(a, b storage.Family) bool {
	x, _ := a.MarshalBinary()
	y, _ := b.MarshalBinary()
	return a.ID == b.ID && string(x) == string(y)
}

// TestLuaBounds holds the bounds in the scripts to those of the core.
func TestLuaBounds(t *testing.T) {
	for file, lines := range map[string][]string{
		"create_session":  {fmt.Sprintf("local MOST_SESSIONS = %d ", storage.MaxSessions)},
		"upstream_record": {fmt.Sprintf("local MOST_UPSTREAMS, KEEP_UPSTREAM = %d, %d ", storage.MaxUpstreams, storage.KeepUpstream.Milliseconds())},
		"put_index":       {fmt.Sprintf("local MOST_INDEXED = %d ", storage.MaxIndexed)},
		"create_family":   {fmt.Sprintf("local MOST_FAMILIES = %d ", storage.MaxFamilies)},
		"code":            {fmt.Sprintf("local MOST_CODES, MOST_BODIES = %d, %d ", storage.MaxCodes, storage.MaxCodeBodies)},
		"denylist": {
			fmt.Sprintf("local MOST, KEPT, FOLD_AFTER, CODES_LIVE = %d, %d, %d, %d ", storage.MaxDenials, storage.MaxKeptByFold, int(storage.FoldAfter.Seconds()), int(storage.CodesLive.Seconds())),
			fmt.Sprintf("local MOST_AHEAD = %d ", int(storage.MostAhead.Seconds())),
		},
	} {
		text, err := lua.ReadFile("lua/" + file + ".lua")
		mustDo(t, err)
		for _, line := range lines {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s.lua has no %q", file, line)
			}
		}
	}
}
