package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// endClient ends a client and returns until when. In a store whose decisions
// can't look at the watermarks (storage.ClientEnd.Late), the fixture's calls know
// of it from now on, as a core's do; else they never know, and need not.
func (f *fixture) endClient(client storage.ClientTag) time.Time {
	f.t.Helper()
	end := Must(f.s.EndClient(f.ctx(), client, 0))(f.t)
	if end.Late > 0 {
		f.known[client] = end.Before
	}
	return end.Before
}

func (f *fixture) endEveryone() time.Time {
	f.t.Helper()
	return f.endClient(storage.Everyone)
}

// endForGood ends a client as a core does: where something may slip past the
// end, once more when nobody can ask any more who does not know of it.
func (f *fixture) endForGood(client storage.ClientTag) time.Time {
	f.t.Helper()
	end := Must(f.s.EndClient(f.ctx(), client, 0))(f.t)
	if end.Late > 0 {
		f.pass(3 * end.Late)
	}
	return f.endClient(client)
}

// loginOver reports whether the fixture's login is over as far as its caller knows.
func (f *fixture) loginOver() bool { return !f.session.Begun.After(f.known[storage.Everyone]) }

// endClientUnheard: who has not heard of the end asks for a decision. Either
// the store knows better, or it says that it does not, and all that comes of it
// is reached by a second end.
func endClientUnheard(t *testing.T, f *fixture) {
	family := f.family()
	f.toSecond(100 * time.Millisecond)
	for _, client := range []storage.ClientTag{app, storage.Everyone} {
		unheard := f.present(family, 1)
		begin := f.createRequest()
		first := Must(f.s.EndClient(f.ctx(), client, 0))(t)
		if first.Late == 0 {
			f.rotate(unheard, storage.RotateUnknown, 0)
			continue
		}
		f.pass(first.Late)
		slipped := f.rotate(unheard, storage.Rotated, 2)
		late := f.create(begin)
		f.pass(2 * first.Late)
		mark := f.endClient(client)
		for _, dated := range []time.Time{slipped.IssueAt, late.IssueAt, late.Family.Created} {
			if dated.Truncate(time.Second).After(mark) {
				t.Errorf("what slipped past the end is dated %v, and escapes the second end (%v)", dated, mark)
			}
		}
		f.rotate(f.present(family, 2), storage.RotateUnknown, 0)
		f.rotate(f.present(late.Family, 1), storage.RotateUnknown, 0)
		f.session = f.login()
		family = f.family()
	}
}
