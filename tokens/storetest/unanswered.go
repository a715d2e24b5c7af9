package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// R1: whoever was told to come again, or heard nothing, gets the successor
// whenever they come, and a thief is found out all the same.
var unansweredCases = []testCase{
	{"R1: gets the successor late", unansweredLate},
	{"R1: strict", unansweredStrict},
	{"R1: the successor was used", unansweredUsed},
	{"R1: told of another attempt", unansweredOther},
	{"R1: presented within the leeway", unansweredWithinLeeway},
	{"R1: nothing to mark", unansweredNothing},
	{"R1: survives reopening", unansweredReopen},
	{"R1: a node that died", nodeDied},
	{"R1: a node that died, strict", nodeDiedStrict},
	{"R1: a node that took leave", nodeLeft},
	{"R1: what a node had answered before it died", nodeVouched},
	{"R1: other nodes' rotations", nodeOther},
}

// short is a leeway that a test can wait for.
const short = 2 * time.Second

func shortly(r *tokens.RotateRequest) { r.Leeway = short }

// by makes a request one of an attempt.
func by(a tokens.Attempt) func(*tokens.RotateRequest) {
	return func(r *tokens.RotateRequest) { r.Attempt = a }
}

// untold tells that the answer to a request is lost.
func (f *fixture) untold(r tokens.RotateRequest, change ...func(*tokens.UnansweredRequest)) {
	f.t.Helper()
	u := tokens.UnansweredRequest{User: r.User, Family: r.Family, Presented: r.Presented, Attempts: []tokens.Attempt{r.Attempt}}
	apply(&u, change)
	noError(f.t, f.s.Unanswered(f.ctx(), u))
}

func unansweredLate(t *testing.T, f *fixture) {
	family := f.family()
	lost := f.present(family, 1, shortly)
	first := f.rotate(lost, tokens.Rotated, 2)
	f.pass(short)
	f.untold(lost)
	f.untold(lost)
	res := f.rotate(f.present(family, 1, shortly), tokens.Rotated, 2)
	if !res.Family.Rotated.After(first.Family.Rotated) || len(res.Profile) == 0 || res.IssueAt.IsZero() {
		t.Errorf("rotated anew: %+v", res)
	}
	f.rotate(f.present(family, 1, shortly), tokens.RotateReplayed, 2) // another tab
	f.pass(short)
	f.rotate(f.present(family, 1, shortly), tokens.RotateReused, 0) // a thief
	f.rotate(f.present(family, 2, shortly), tokens.RotateUnknown, 0)
}

func unansweredStrict(t *testing.T, f *fixture) {
	family := f.family()
	lost := f.present(family, 1, strict)
	f.rotate(lost, tokens.Rotated, 2)
	f.untold(lost)
	again := f.present(family, 1, strict)
	f.rotate(again, tokens.Rotated, 2)
	f.rotate(again, tokens.Rotated, 2) // the same call sent again
	f.rotate(f.present(family, 1, strict), tokens.RotateReused, 0)
}

func unansweredUsed(t *testing.T, f *fixture) {
	family := f.family()
	lost := f.present(family, 1)
	f.rotate(lost, tokens.Rotated, 2)
	f.untold(lost)
	f.rotate(f.present(family, 2), tokens.Rotated, 3) // it was known to somebody
	f.untold(lost)
	f.rotate(f.present(family, 1), tokens.RotateReused, 0)
}

func unansweredOther(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1, strict), tokens.Rotated, 2)
	f.untold(f.present(family, 1, strict), func(u *tokens.UnansweredRequest) {
		u.Asked, u.Leeway = f.now(), 0
	})
	f.rotate(f.present(family, 1, strict), tokens.RotateReused, 0)
}

func unansweredWithinLeeway(t *testing.T, f *fixture) {
	late, family := f.family(), f.family()
	for _, who := range []tokens.Family{late, family} {
		f.rotate(f.present(who, 1, shortly), tokens.Rotated, 2) // answered, and the answer was lost
	}
	asked := func(u *tokens.UnansweredRequest) { u.Asked, u.Leeway = f.now(), short }
	f.untold(f.present(family, 1), asked)
	f.pass(short)
	f.untold(f.present(late, 1), asked)
	f.rotate(f.present(family, 1, shortly), tokens.Rotated, 2)
	f.rotate(f.present(late, 1, shortly), tokens.RotateReused, 0)
}

func unansweredNothing(t *testing.T, f *fixture) {
	family, kept, ended := f.family(), f.family(), f.family()
	f.untold(f.present(family, 1)) // it was not rotated
	f.rotate(f.present(family, 1), tokens.Rotated, 2)
	f.rotate(f.present(kept, 1, strict), tokens.Rotated, 2)
	f.rotate(f.present(kept, 2, noRotation), tokens.RotateKept, 2)
	f.untold(f.present(kept, 1), func(u *tokens.UnansweredRequest) {
		u.Attempts, u.Asked, u.Leeway = append(u.Attempts, tokens.Attempt{}), f.now(), time.Hour
	})
	f.rotate(f.present(kept, 1, strict), tokens.RotateReused, 0)
	f.end(tokens.EndRequest{Scope: tokens.EndFamily, Family: ended.ID})
	f.untold(f.present(ended, 1))
	f.untold(f.present(tokens.Family{ID: random[tokens.FamilyID]()}, 1))
	f.rotate(f.present(ended, 1), tokens.RotateUnknown, 0)
	f.wantLive(family.ID)
}

func unansweredReopen(t *testing.T, f *fixture) {
	family := f.family()
	lost := f.present(family, 1, strict)
	f.rotate(lost, tokens.Rotated, 2)
	f.untold(lost)
	f.reopen()
	f.rotate(f.present(family, 1, strict), tokens.Rotated, 2)
	f.rotate(f.present(family, 2, strict), tokens.Rotated, 3)
	f.rotate(f.present(family, 1, strict), tokens.RotateReused, 0)
}

// node is one of a test, and an attempt of it.
func (f *fixture) node() (tokens.NodeMark, tokens.Attempt) {
	a := random8[tokens.Attempt]()
	a[0] = 1 // no mark that means something else
	return a.Node(), a
}

func (f *fixture) beat(r tokens.BeatRequest) {
	f.t.Helper()
	must(f.s.Beat(f.ctx(), r))(f.t)
}

// outlive lets the node die that has the store, and another one begin.
func (f *fixture) outlive() {
	f.t.Helper()
	f.reopen()
	other, _ := f.node()
	f.beat(tokens.BeatRequest{Node: other, Settled: true})
	f.pass(tokens.SilentAfter + time.Second)
	f.beat(tokens.BeatRequest{Node: other, Settled: true})
}

func nodeDied(t *testing.T, f *fixture) {
	family := f.family()
	node, attempt := f.node()
	f.beat(tokens.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(family, 1, by(attempt)), tokens.Rotated, 2)
	f.outlive()
	f.rotate(f.present(family, 1, shortly), tokens.Rotated, 2)
	f.rotate(f.present(family, 1, shortly), tokens.RotateReplayed, 2)
	f.pass(short)
	f.rotate(f.present(family, 1, shortly), tokens.RotateReused, 0)
}

func nodeDiedStrict(t *testing.T, f *fixture) {
	family, grandparent := f.family(), f.family()
	node, attempt := f.node()
	f.beat(tokens.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(family, 1, by(attempt)), tokens.Rotated, 2)
	f.rotate(f.present(grandparent, 1, by(attempt)), tokens.Rotated, 2)
	f.rotate(f.present(grandparent, 2, by(attempt)), tokens.Rotated, 3)
	f.outlive()
	f.rotate(f.present(grandparent, 1, strict), tokens.RotateReused, 0)
	f.rotate(f.present(family, 1, strict), tokens.Rotated, 2)
	f.rotate(f.present(family, 1, strict), tokens.RotateReused, 0)
}

func nodeLeft(t *testing.T, f *fixture) {
	family := f.family()
	node, attempt := f.node()
	f.beat(tokens.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(family, 1, by(attempt)), tokens.Rotated, 2)
	f.beat(tokens.BeatRequest{Node: node, Leaving: true})
	f.outlive()
	f.rotate(f.present(family, 1, shortly), tokens.RotateReused, 0)
}

func nodeVouched(t *testing.T, f *fixture) {
	f.needClock()
	old, young := f.family(), f.family()
	node, attempt := f.node()
	f.beat(tokens.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(old, 1, by(attempt)), tokens.Rotated, 2)
	f.pass(tokens.DoubtFor + time.Second)
	f.beat(tokens.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(young, 1, by(attempt)), tokens.Rotated, 2)
	f.pass(tokens.DoubtFor + time.Second)
	f.beat(tokens.BeatRequest{Node: node}) // it lives, and can't say that all is answered
	f.outlive()
	f.rotate(f.present(young, 1, shortly), tokens.Rotated, 2)
	f.rotate(f.present(old, 1, shortly), tokens.RotateReused, 0)
}

func nodeOther(t *testing.T, f *fixture) {
	family, unknown := f.family(), f.family()
	node, attempt := f.node()
	f.beat(tokens.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(unknown, 1), tokens.Rotated, 2) // by a node that nobody knows
	f.rotate(f.present(family, 1, by(attempt)), tokens.Rotated, 2)
	answered := random8[tokens.Attempt]()
	f.rotate(f.present(family, 2, by(answered)), tokens.Rotated, 3)
	f.outlive()
	f.rotate(f.present(unknown, 1, shortly), tokens.RotateReused, 0)
	if slices.Equal(answered[:3], attempt[:3]) {
		t.Skip("two nodes of one mark")
	}
	f.rotate(f.present(family, 2, shortly), tokens.RotateReused, 0)
}
