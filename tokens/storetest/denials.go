package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var denialCases = []testCase{
	{"token", denyToken},
	{"token until", denyTokenUntil},
	{"batch in order", denialsBatch},
	{"survive reopening", denialsReopen},
	{"client watermark", endClient},
	{"client watermark in one second", endClientSecond},
	{"client watermark concurrently", endClientConcurrently},
	{"client watermark unheard", endClientUnheard},
}

func denyToken(t *testing.T, f *fixture) {
	if d := f.denials(); !d.Before.IsZero() || len(d.Entries) != 0 {
		t.Fatalf("denylist of a new user: %+v", d)
	}
	id := random[storage.TokenID]()
	until := f.now().Add(time.Minute)
	for range 2 {
		NoError(t, f.s.DenyToken(f.ctx(), f.user, id, until))
	}
	// A shorter one never takes back a longer one.
	NoError(t, f.s.DenyToken(f.ctx(), f.user, id, until.Add(-time.Second*30)))
	d := f.denials().Entries
	if len(d) != 1 || d[0].Kind != storage.DenyToken || d[0].ID != id || d[0].Until.Before(until) || d[0].Until.After(until.Add(time.Second)) {
		t.Errorf("denylist %+v, want the token until %v", d, until)
	}
}

func denyTokenUntil(t *testing.T, f *fixture) {
	id := random[storage.TokenID]()
	NoError(t, f.s.DenyToken(f.ctx(), f.user, id, f.now().Add(-time.Second)))
	if d := f.denials().Entries; len(d) != 0 {
		t.Errorf("a dead token is in the denylist: %+v", d)
	}
	NoError(t, f.s.DenyToken(f.ctx(), f.user, id, f.now().Add(time.Second)))
	if d := f.denials().Entries; len(d) != 1 {
		t.Errorf("denylist %+v", d)
	}
	f.pass(2100 * time.Millisecond)
	if d := f.denials().Entries; len(d) != 0 {
		t.Errorf("an entry outlived its time: %+v", d)
	}
}

func denialsBatch(t *testing.T, f *fixture) {
	var users []storage.UserTag
	denied := map[storage.UserTag]storage.TokenID{}
	for i := range 20 {
		user := random[storage.UserTag]()
		users = append(users, user)
		if i%3 == 0 {
			denied[user] = random[storage.TokenID]()
			NoError(t, f.s.DenyToken(f.ctx(), user, denied[user], f.now().Add(time.Minute)))
		}
	}
	users = append(users, users[0]) // twice
	got := Must(f.s.Denials(f.ctx(), users))(t)
	if len(got) != len(users) {
		t.Fatalf("%d answers to %d users", len(got), len(users))
	}
	for i, user := range users {
		id, want := denied[user]
		if want != (len(got[i].Entries) == 1) || want && got[i].Entries[0].ID != id || !got[i].Before.IsZero() {
			t.Errorf("answer %d belongs to another user: %+v", i, got[i])
		}
	}
	if got := Must(f.s.Denials(f.ctx(), nil))(t); len(got) != 0 {
		t.Errorf("%d answers to no users", len(got))
	}
}

func denialsReopen(t *testing.T, f *fixture) {
	id := random[storage.TokenID]()
	NoError(t, f.s.DenyToken(f.ctx(), f.user, id, f.now().Add(time.Minute)))
	f.end(storage.EndRequest{Scope: storage.EndUser})
	mark := f.endClient(app)
	want := f.denials()
	f.reopen()
	got := f.denials()
	if !got.Before.Equal(want.Before) || got.Before.IsZero() || len(got.Entries) != 1 || got.Entries[0].ID != id {
		t.Errorf("denylist %+v, want %+v", got, want)
	}
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); !marks[app].Before.Equal(mark) {
		t.Errorf("watermark %v, want %v", marks[app], mark)
	}
}

func endClient(t *testing.T, f *fixture) {
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); len(marks) != 0 {
		t.Errorf("watermarks of a new store: %v", marks)
	}
	family := f.family()
	f.toSecond(100 * time.Millisecond)
	now := f.now()
	mark := f.endClient(app)
	if mark.Unix() != now.Unix() && mark.Unix() != f.now().Unix() {
		t.Errorf("watermark %v at %v", mark, now)
	}
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); len(marks) != 1 || !marks[app].Before.Equal(mark) {
		t.Errorf("watermarks %v, want %v", marks, mark)
	}
	after := func(r *storage.RotateRequest) { r.BegunAfter = mark }
	f.rotate(f.present(family, 1, after), storage.RotateUnknown, 0)
	fresh := f.family(func(r *storage.CreateRequest) { r.BegunAfter = mark })
	f.rotate(f.present(fresh, 1, after), storage.Rotated, 2)

	f.pass(2 * time.Second)
	later := f.endClient(app)
	other := f.endClient(otherApp)
	if !later.After(mark) {
		t.Errorf("watermark %v after %v", later, mark)
	}
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); !marks[app].Before.Equal(later) || !marks[otherApp].Before.Equal(other) {
		t.Errorf("watermarks %v", marks)
	}
}

func endClientSecond(t *testing.T, f *fixture) {
	f.toSecond(100 * time.Millisecond)
	mark := f.endClient(app)
	issued := f.create(f.createRequest(func(r *storage.CreateRequest) { r.BegunAfter = mark })).IssueAt
	second := f.endClient(app)
	if second.Unix() < issued.Unix() {
		t.Errorf("a token issued %v escapes the watermark set after it (%v)", issued, second)
	}
	for range 10 {
		third := f.endClient(app)
		if third.Before(second) || third.After(f.now().Add(time.Second)) {
			t.Errorf("watermark %v after %v, now %v", third, second, f.now())
		}
	}
}

func endClientConcurrently(t *testing.T, f *fixture) {
	Concurrently(20, func(int) {
		end, err := f.s.EndClient(f.ctx(), app, 0)
		if err != nil {
			t.Errorf("EndClient: %v", err)
			return
		}
		marks, err := f.s.ClientWatermarks(f.ctx())
		if err != nil || marks[app].Before.Before(end.Before) {
			t.Errorf("watermark %v after an answer of %v (%v)", marks[app], end.Before, err)
		}
	})
}
