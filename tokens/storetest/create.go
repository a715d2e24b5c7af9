package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var createCases = []testCase{
	{"record", createRecord},
	{"same attempt again", createAgain},
	{"another attempt on the same id", createOther},
	{"cap", createCap},
	{"cap counts the living", createCapLiving},
	{"cap is per client", createCapClient},
	{"cap under 100 at once", createCapConcurrently},
	{"after the client's watermark", createWatermark},
	{"ended before it began", createEnded},
	{"login before a sign-out", createAfterSignOut},
	{"session ended in between", createSessionEnded},
	{"grants", grantsKept},
}

func maxActive(n int) func(*storage.CreateRequest) {
	return func(r *storage.CreateRequest) { r.MaxActive = n }
}

func createRecord(t *testing.T, f *fixture) {
	r := f.createRequest()
	before := f.now()
	res := f.create(r)
	after := f.now()
	got := res.Family
	if !res.Created || got.ID != r.ID || got.Client != r.Client || got.Grant != r.Grant || got.Session != r.Session ||
		got.Generation != 1 || got.Attempt != r.Attempt || !got.AuthTime.Equal(r.AuthTime.Truncate(time.Second)) {
		t.Fatalf("created %+v for %+v", res, r)
	}
	if got.Created.Before(before.Truncate(time.Second)) || got.Created.After(after) ||
		got.Rotated.Before(before) || got.Rotated.After(after) || res.IssueAt.Before(before) || res.IssueAt.After(after) {
		t.Errorf("created %v, rotated %v, issued %v; the time was %v to %v", got.Created, got.Rotated, res.IssueAt, before, after)
	}
	listed := Must(f.s.ListFamilies(f.ctx(), f.user))(t)
	if len(listed) != 1 || listed[0].ID != got.ID || !listed[0].Expires.Equal(got.Expires) || !listed[0].IdleExpires.Equal(got.IdleExpires) {
		t.Errorf("listed %+v, want %+v", listed, got)
	}
}

func createAgain(t *testing.T, f *fixture) {
	old := f.family(maxActive(1))
	r := f.createRequest(maxActive(1))
	first := f.create(r)
	again := f.create(r)
	if !again.Created || again.Family.ID != r.ID || again.Family.Generation != 1 {
		t.Errorf("again: %+v", again)
	}
	for _, res := range []storage.CreateResult{first, again} {
		if !slices.Equal(res.Evicted, []storage.FamilyID{old.ID}) {
			t.Errorf("evicted %v, want the first family", res.Evicted)
		}
	}
	f.wantLive(r.ID)
}

func createOther(t *testing.T, f *fixture) {
	family := f.family()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	res := f.create(f.createRequest(func(r *storage.CreateRequest) { r.ID = family.ID }))
	if res.Created {
		t.Error("a family was begun a second time")
	}
	f.rotate(f.present(family, 2), storage.Rotated, 3)
}

func createCap(t *testing.T, f *fixture) {
	var ids []storage.FamilyID
	for range 5 {
		since := f.now()
		res := f.create(f.createRequest(maxActive(3)))
		ids = append(ids, res.Family.ID)
		if len(ids) <= 3 {
			if len(res.Evicted) != 0 {
				t.Fatalf("evicted %d of %d", len(res.Evicted), len(ids))
			}
		} else {
			if !slices.Equal(res.Evicted, ids[:1]) {
				t.Fatal("evicted another one than the oldest")
			}
			f.wantDenied(ids[0], since)
			ids = ids[1:]
		}
		f.wantLive(ids...)
		f.pass(1100 * time.Millisecond)
	}
	// A smaller cap evicts several at once.
	res := f.create(f.createRequest(maxActive(1)))
	slices.SortFunc(ids, compareIDs)
	if evicted := slices.SortedFunc(slices.Values(res.Evicted), compareIDs); !slices.Equal(evicted, ids) {
		t.Errorf("evicted %d, want all %d", len(evicted), len(ids))
	}
	f.wantLive(res.Family.ID)
}

func compareIDs(a, b storage.FamilyID) int { return slices.Compare(a[:], b[:]) }

func createCapLiving(t *testing.T, f *fixture) {
	expiring := func(r *storage.CreateRequest) { r.Lifetime = time.Second }
	ended := f.family()
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: ended.ID})
	f.family(expiring)
	f.family(expiring)
	f.pass(2100 * time.Millisecond)
	first := f.family(maxActive(2))
	f.pass(1100 * time.Millisecond)
	second := f.create(f.createRequest(maxActive(2)))
	if len(second.Evicted) != 0 {
		t.Error("expired or ended families counted for the cap")
	}
	f.wantLive(first.ID, second.Family.ID)
}

func createCapClient(t *testing.T, f *fixture) {
	mine := f.family(maxActive(1))
	f.pass(1100 * time.Millisecond)
	theirs := f.family(maxActive(1), func(r *storage.CreateRequest) { r.Client = otherApp })
	f.wantLive(mine.ID, theirs.ID)
	alice := f.user
	f.user = random[storage.UserTag]()
	f.family(maxActive(1))
	f.user = alice
	f.wantLive(mine.ID, theirs.ID)
}

func createCapConcurrently(t *testing.T, f *fixture) {
	const atMost = 10
	var mu sync.Mutex
	evicted := map[storage.FamilyID]bool{}
	Concurrently(100, func(int) {
		res, err := f.s.CreateFamily(f.ctx(), f.createRequest(maxActive(atMost)))
		if err != nil || !res.Created {
			t.Errorf("CreateFamily: created %v, %v", res.Created, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, id := range res.Evicted {
			if evicted[id] {
				t.Error("a family was evicted twice")
			}
			evicted[id] = true
		}
	})
	live := Must(f.s.ListFamilies(f.ctx(), f.user))(t)
	if len(live) != atMost || len(evicted) != 100-atMost {
		t.Errorf("%d live and %d evicted, want %d and %d", len(live), len(evicted), atMost, 100-atMost)
	}
	for _, family := range live {
		if evicted[family.ID] {
			t.Error("an evicted family lives")
		}
	}
}

func createWatermark(t *testing.T, f *fixture) {
	f.toSecond(200 * time.Millisecond)
	mark := f.now().Truncate(time.Second)
	after := func(r *storage.CreateRequest) { r.BegunAfter = mark }
	res := f.create(f.createRequest(after))
	if !res.Created || !res.Family.Created.After(mark) || !res.IssueAt.Truncate(time.Second).After(mark) {
		t.Errorf("created %v, issued %v, want both after %v", res.Family.Created, res.IssueAt, mark)
	}
	rotated := f.rotate(f.present(res.Family, 1, func(r *storage.RotateRequest) { r.BegunAfter = mark }), storage.Rotated, 2)
	if !rotated.IssueAt.Truncate(time.Second).After(mark) {
		t.Errorf("rotated, issued %v, want after %v", rotated.IssueAt, mark)
	}
}

func createEnded(t *testing.T, f *fixture) {
	r := f.createRequest()
	since := f.now()
	res := f.end(storage.EndRequest{Scope: storage.EndFamily, Family: r.ID})
	if len(res.Families) != 0 {
		t.Error("a family that did not exist is said to have lived")
	}
	f.wantDenied(r.ID, since)
	if f.create(r).Created {
		t.Error("a family began after it was ended")
	}
	f.wantLive()
	f.rotate(f.present(storage.Family{ID: r.ID, Client: app, Grant: grant}, 1), storage.RotateUnknown, 0)
}

func createAfterSignOut(t *testing.T, f *fixture) {
	// The code was taken, then the user signed out everywhere, then the
	// exchange goes on.
	r := f.createRequest()
	f.end(storage.EndRequest{Scope: storage.EndUser})
	if f.create(r).Created {
		t.Error("a login before a sign-out began a family after it")
	}
	f.session = f.login()
	f.family()
}

func createSessionEnded(t *testing.T, f *fixture) {
	r := f.createRequest()
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
	if f.create(r).Created {
		t.Error("a family began in a session that had been ended")
	}
	f.session = f.login()
	replaced := f.createRequest()
	f.login(func(r *storage.SessionRequest) { r.Replaces = f.session.ID })
	if !f.create(replaced).Created {
		t.Error("the next sign-in of the browser kept a family from beginning")
	}
}

func grantsKept(t *testing.T, f *fixture) {
	if got := Must(f.s.Grant(f.ctx(), grant))(t); got != nil {
		t.Fatalf("grant %q, want none", got)
	}
	text := []byte("openid offline_access")
	NoError(t, f.s.PutGrant(f.ctx(), grant, text, time.Hour))
	NoError(t, f.s.PutGrant(f.ctx(), grant, text, time.Hour))
	NoError(t, f.s.PutGrant(f.ctx(), storage.GrantID{8}, []byte("other"), time.Hour))
	f.reopen()
	if got := Must(f.s.Grant(f.ctx(), grant))(t); string(got) != string(text) {
		t.Errorf("grant %q, want %q", got, text)
	}
	if got := Must(f.s.Grants(f.ctx(), []storage.GrantID{{8}, {9}, grant, {8}}))(t); len(got) != 4 || string(got[0]) != "other" || got[1] != nil || string(got[2]) != string(text) || string(got[3]) != "other" {
		t.Errorf("grants %q", got)
	}
	if got := Must(f.s.Grants(f.ctx(), nil))(t); len(got) != 0 {
		t.Errorf("of none: %q", got)
	}
}
