package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
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

func shortly(r *storage.RotateRequest) { r.Leeway = short }

// by makes a request one of an attempt.
func by(a storage.Attempt) func(*storage.RotateRequest) {
	return func(r *storage.RotateRequest) { r.Attempt = a }
}

// untold tells that the answer to a request is lost.
func (f *fixture) untold(r storage.RotateRequest, change ...func(*storage.UnansweredRequest)) {
	f.t.Helper()
	u := storage.UnansweredRequest{User: r.User, Family: r.Family, Presented: r.Presented, Attempts: []storage.Attempt{r.Attempt}}
	Apply(&u, change)
	NoError(f.t, f.s.Unanswered(f.ctx(), u))
}

func unansweredLate(t *testing.T, f *fixture) {
	family := f.family()
	lost := f.present(family, 1, shortly)
	first := f.rotate(lost, storage.Rotated, 2)
	f.pass(short)
	f.untold(lost)
	f.untold(lost)
	res := f.rotate(f.present(family, 1, shortly), storage.Rotated, 2)
	if !res.Family.Rotated.After(first.Family.Rotated) || !sameProfile(res.Profile, profile) || res.IssueAt.IsZero() {
		t.Errorf("rotated anew: %+v", res)
	}
	f.rotate(f.present(family, 1, shortly), storage.RotateReplayed, 2) // another tab
	f.pass(short)
	f.rotate(f.present(family, 1, shortly), storage.RotateReused, 0) // a thief
	f.rotate(f.present(family, 2, shortly), storage.RotateUnknown, 0)
}

func unansweredStrict(t *testing.T, f *fixture) {
	family := f.family()
	lost := f.present(family, 1, strict)
	f.rotate(lost, storage.Rotated, 2)
	f.untold(lost)
	again := f.present(family, 1, strict)
	f.rotate(again, storage.Rotated, 2)
	f.rotate(again, storage.Rotated, 2) // the same call sent again
	f.rotate(f.present(family, 1, strict), storage.RotateReused, 0)
}

func unansweredUsed(t *testing.T, f *fixture) {
	family := f.family()
	lost := f.present(family, 1)
	f.rotate(lost, storage.Rotated, 2)
	f.untold(lost)
	f.rotate(f.present(family, 2), storage.Rotated, 3) // it was known to somebody
	f.untold(lost)
	f.rotate(f.present(family, 1), storage.RotateReused, 0)
}

func unansweredOther(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1, strict), storage.Rotated, 2)
	f.untold(f.present(family, 1, strict), func(u *storage.UnansweredRequest) {
		u.Asked, u.Leeway = f.now(), 0
	})
	f.rotate(f.present(family, 1, strict), storage.RotateReused, 0)
}

func unansweredWithinLeeway(t *testing.T, f *fixture) {
	late, family := f.family(), f.family()
	for _, who := range []storage.Family{late, family} {
		f.rotate(f.present(who, 1, shortly), storage.Rotated, 2) // answered, and the answer was lost
	}
	asked := func(u *storage.UnansweredRequest) { u.Asked, u.Leeway = f.now(), short }
	f.untold(f.present(family, 1), asked)
	f.pass(short)
	f.untold(f.present(late, 1), asked)
	f.rotate(f.present(family, 1, shortly), storage.Rotated, 2)
	f.rotate(f.present(late, 1, shortly), storage.RotateReused, 0)
}

func unansweredNothing(t *testing.T, f *fixture) {
	family, kept, ended := f.family(), f.family(), f.family()
	f.untold(f.present(family, 1)) // it was not rotated
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.rotate(f.present(kept, 1, strict), storage.Rotated, 2)
	f.rotate(f.present(kept, 2, noRotation), storage.RotateKept, 2)
	f.untold(f.present(kept, 1), func(u *storage.UnansweredRequest) {
		u.Attempts, u.Asked, u.Leeway = append(u.Attempts, storage.Attempt{}), f.now(), time.Hour
	})
	f.rotate(f.present(kept, 1, strict), storage.RotateReused, 0)
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: ended.ID})
	f.untold(f.present(ended, 1))
	f.untold(f.present(storage.Family{ID: random[storage.FamilyID]()}, 1))
	f.rotate(f.present(ended, 1), storage.RotateUnknown, 0)
	f.wantLive(family.ID)
}

func unansweredReopen(t *testing.T, f *fixture) {
	family := f.family()
	lost := f.present(family, 1, strict)
	f.rotate(lost, storage.Rotated, 2)
	f.untold(lost)
	f.reopen()
	f.rotate(f.present(family, 1, strict), storage.Rotated, 2)
	f.rotate(f.present(family, 2, strict), storage.Rotated, 3)
	f.rotate(f.present(family, 1, strict), storage.RotateReused, 0)
}

// node is one of a test, and an attempt of it.
func (f *fixture) node() (storage.NodeMark, storage.Attempt) {
	a := random8[storage.Attempt]()
	a[0] = 1 // no mark that means something else
	return a.Node(), a
}

func (f *fixture) beat(r storage.BeatRequest) {
	f.t.Helper()
	Must(f.s.Beat(f.ctx(), r))(f.t)
}

// outlive lets the node die that has the store, and another one begin.
func (f *fixture) outlive() {
	f.t.Helper()
	f.reopen()
	other, _ := f.node()
	f.beat(storage.BeatRequest{Node: other, Settled: true})
	f.pass(storage.SilentAfter + time.Second)
	f.beat(storage.BeatRequest{Node: other, Settled: true})
}

func nodeDied(t *testing.T, f *fixture) {
	family := f.family()
	node, attempt := f.node()
	f.beat(storage.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(family, 1, by(attempt)), storage.Rotated, 2)
	f.outlive()
	f.rotate(f.present(family, 1, shortly), storage.Rotated, 2)
	f.rotate(f.present(family, 1, shortly), storage.RotateReplayed, 2)
	f.pass(short)
	f.rotate(f.present(family, 1, shortly), storage.RotateReused, 0)
}

func nodeDiedStrict(t *testing.T, f *fixture) {
	family, grandparent := f.family(), f.family()
	node, attempt := f.node()
	f.beat(storage.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(family, 1, by(attempt)), storage.Rotated, 2)
	f.rotate(f.present(grandparent, 1, by(attempt)), storage.Rotated, 2)
	f.rotate(f.present(grandparent, 2, by(attempt)), storage.Rotated, 3)
	f.outlive()
	f.rotate(f.present(grandparent, 1, strict), storage.RotateReused, 0)
	f.rotate(f.present(family, 1, strict), storage.Rotated, 2)
	f.rotate(f.present(family, 1, strict), storage.RotateReused, 0)
}

func nodeLeft(t *testing.T, f *fixture) {
	family := f.family()
	node, attempt := f.node()
	f.beat(storage.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(family, 1, by(attempt)), storage.Rotated, 2)
	f.beat(storage.BeatRequest{Node: node, Leaving: true})
	f.outlive()
	f.rotate(f.present(family, 1, shortly), storage.RotateReused, 0)
}

func nodeVouched(t *testing.T, f *fixture) {
	f.needClock()
	old, young := f.family(), f.family()
	node, attempt := f.node()
	f.beat(storage.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(old, 1, by(attempt)), storage.Rotated, 2)
	f.pass(storage.DoubtFor + time.Second)
	f.beat(storage.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(young, 1, by(attempt)), storage.Rotated, 2)
	f.pass(storage.DoubtFor + time.Second)
	f.beat(storage.BeatRequest{Node: node}) // it lives, and can't say that all is answered
	f.outlive()
	f.rotate(f.present(young, 1, shortly), storage.Rotated, 2)
	f.rotate(f.present(old, 1, shortly), storage.RotateReused, 0)
}

func nodeOther(t *testing.T, f *fixture) {
	family, unknown := f.family(), f.family()
	node, attempt := f.node()
	f.beat(storage.BeatRequest{Node: node, Settled: true})
	f.rotate(f.present(unknown, 1), storage.Rotated, 2) // by a node that nobody knows
	f.rotate(f.present(family, 1, by(attempt)), storage.Rotated, 2)
	answered := random8[storage.Attempt]()
	f.rotate(f.present(family, 2, by(answered)), storage.Rotated, 3)
	f.outlive()
	f.rotate(f.present(unknown, 1, shortly), storage.RotateReused, 0)
	if slices.Equal(answered[:3], attempt[:3]) {
		t.Skip("two nodes of one mark")
	}
	f.rotate(f.present(family, 2, shortly), storage.RotateReused, 0)
}
