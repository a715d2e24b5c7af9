package storetest

import (
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var transferCases = []testCase{
	{"everything moves", moveAll},
	{"many users move", moveMany},
	{"a session moves with its root and acr", moveRoot},
	{"what has an end moves with it", moveEnds},
	{"who is to be told moves with it", moveNotes},
	{"an exported store is stopped", exportStops},
	{"an export that fails changes nothing", exportFails},
	{"an import that breaks off goes on", importAgain},
	{"an import needs an empty store", importIntoSome},
	{"an import needs an end", importNothing},
}

// RunTransfers runs the cases that move a store's state into Harness.Empty,
// which may be a store of another kind.
func RunTransfers(t *testing.T, open func(t *testing.T) Harness) {
	for _, c := range transferCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, newFixture(t, open(t)))
		})
	}
}

// export returns all records of the store.
func (f *fixture) export() []storage.Record {
	f.t.Helper()
	var all []storage.Record
	// A node that uses the store leaves a mark in it, with which nothing has to go.
	Must(f.s.Beat(f.ctx(), storage.BeatRequest{Node: storage.NodeMark{1, 2, 3}, Settled: true}))(f.t)
	NoError(f.t, f.s.Export(f.ctx(), func(r storage.Record) error {
		all = append(all, r)
		return nil
	}))
	return all
}

func sequence(records []storage.Record, broken error) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
		if broken != nil {
			yield(storage.Record{}, broken)
		}
	}
}

// move exports the store and goes on with another one that has imported it.
func (f *fixture) move() {
	f.t.Helper()
	records := f.export()
	f.replace(f.empty())
	NoError(f.t, f.s.Import(f.ctx(), [16]byte{9}, sequence(records, nil)))
	f.reimport()
}

// empty returns an empty store that is not open.
func (f *fixture) empty() storage.Store {
	f.t.Helper()
	if f.h.Empty == nil {
		f.t.Skip("there is no other store to move to")
	}
	return f.h.Empty(f.t)
}

func (f *fixture) replace(s storage.Store) {
	f.t.Helper()
	NoError(f.t, f.s.Close())
	f.s = s
}

// reimport opens the store that an import has filled, as a gateway does.
func (f *fixture) reimport() storage.OpenResult {
	f.t.Helper()
	return f.open(secret)
}

func moveAll(t *testing.T, f *fixture) {
	f.empty() // else skipped
	text := []byte(`{"scopes":["openid"]}`)
	NoError(t, f.s.PutGrant(f.ctx(), grant, text, time.Hour))
	if !Must(f.s.SwapKeys(f.ctx(), 0, []byte("sealed")))(t) || !Must(f.s.SwapKeys(f.ctx(), 1, []byte("sealed again")))(t) {
		t.Fatal("the keys were not written")
	}
	used := storage.AssertionRequest{ID: random[storage.AssertionID](), Until: f.now().Add(f.lifetime), Attempt: random8[storage.Attempt]()}
	Must(f.s.UseAssertion(f.ctx(), used))(t)
	born := f.open(secret).Born
	watermark := f.endClient(otherApp)

	family, stolen, ended := f.family(), f.family(), f.family()
	good, spent := f.code(), f.code()
	f.take(spent, storage.CodeTaken)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.rotate(f.present(stolen, 1), storage.Rotated, 2)
	f.rotate(f.present(stolen, 2), storage.Rotated, 3)
	since := f.now()
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: ended.ID})
	other := f.login()
	otherCode := f.code()
	_ = otherCode
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: other.ID})
	token := random[storage.TokenID]()
	NoError(t, f.s.DenyToken(f.ctx(), f.user, token, f.now().Add(denyFor)))
	alice, session := f.user, f.session

	f.user = random[storage.UserTag]()
	f.session = f.login()
	f.family()
	f.end(storage.EndRequest{Scope: storage.EndUser})
	bob, before := f.user, f.denials().Before
	f.user = random[storage.UserTag]()
	f.end(storage.EndRequest{Scope: storage.DisableUser})
	mallory := f.user
	f.user, f.session = alice, session
	want := Must(f.s.ListFamilies(f.ctx(), alice))(t)

	f.move()

	if opened := f.open(secret); !opened.Born.Equal(born) || opened.TokenLifetime != 10*time.Minute {
		t.Errorf("opened %+v, want born %v", opened, born)
	}
	if _, err := f.s.Open(f.ctx(), storage.OpenRequest{Secrets: [][16]byte{{77}}}); !errors.Is(err, storage.ErrWrongSecret) {
		t.Errorf("opening under another secret: %v", err)
	}
	if got := Must(f.s.Grant(f.ctx(), grant))(t); string(got) != string(text) {
		t.Errorf("grant %q", got)
	}
	if sealed, version, err := f.s.Keys(f.ctx()); err != nil || version != 2 || string(sealed) != "sealed again" {
		t.Errorf("keys %q, version %d, %v", sealed, version, err)
	}
	used.Attempt = random8[storage.Attempt]()
	if outcome := Must(f.s.UseAssertion(f.ctx(), used))(t); outcome != storage.AssertionUsed {
		t.Errorf("the used assertion: outcome %d", outcome)
	}
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); len(marks) != 1 || !marks[otherApp].Before.Equal(watermark) {
		t.Errorf("watermarks %v", marks)
	}
	if got := Must(f.s.ListFamilies(f.ctx(), alice))(t); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("families %+v, want %+v", got, want)
	}
	f.wantSession(session.ID, true)
	f.wantSession(other.ID, false)
	f.wantEntry(storage.DenyToken, token, since)
	f.wantDenied(ended.ID, since)
	f.rotate(f.present(family, 1), storage.RotateReplayed, 2)
	f.rotate(f.present(family, 2), storage.Rotated, 3)
	f.rotate(f.present(ended, 1), storage.RotateUnknown, 0)
	f.rotate(f.present(stolen, 1), storage.RotateReused, 0)
	f.rotate(f.present(stolen, 3), storage.RotateUnknown, 0)
	f.take(good, storage.CodeTaken)
	f.take(spent, storage.CodeSpent)
	if res := f.create(f.createRequest(func(r *storage.CreateRequest) { r.Session = other.ID })); res.Created {
		t.Error("a family began in a session that had been ended")
	}
	f.user = bob
	f.wantLive()
	if got := f.denials().Before; !got.Equal(before) {
		t.Errorf("the sign-out of bob is at %v, want %v", got, before)
	}
	f.user = mallory
	f.wantDisabled(true)
}

// moveEnds: the end of a grant and of a watermark, and the two times of a session.
func moveEnds(t *testing.T, f *fixture) {
	f.needClock()
	empty := f.empty()
	NoError(t, f.s.PutGrant(f.ctx(), grant, []byte("text"), f.lifetime))
	NoError(t, f.s.PutGrant(f.ctx(), storage.GrantID{8}, []byte("for good"), 0))
	ago := f.now().Add(-time.Hour).Truncate(time.Second)
	f.session = f.login(func(r *storage.SessionRequest) { r.AuthTime = ago })
	records := f.export()
	until := f.now().Add(f.lifetime).Truncate(time.Second)
	mark := f.now().Add(-time.Minute).Truncate(time.Second)
	for client, end := range map[storage.ClientTag]time.Time{app: until, otherApp: {}} {
		records = append(records, storage.Record{Client: &storage.ClientRecord{Client: client, Before: mark, Until: end}})
	}
	f.replace(empty)
	NoError(t, f.s.Import(f.ctx(), [16]byte{9}, sequence(records, nil)))
	f.reimport()

	if found, _, ok := f.findSession(f.session.ID, 0); !ok || !found.AuthTime.Equal(ago) || !found.Begun.Equal(f.session.Begun) {
		t.Errorf("found %v %+v, want %+v", ok, found, f.session)
	}
	marks := Must(f.s.ClientWatermarks(f.ctx()))(t)
	if len(marks) != 2 || !marks[app].Before.Equal(mark) {
		t.Errorf("watermarks %v", marks)
	}
	for i, r := range f.export() {
		if r.Client != nil && r.Client.Client == app && !r.Client.Until.Equal(until) {
			t.Errorf("record %d: the watermark ends %v, want %v", i, r.Client.Until, until)
		}
	}
	Must(f.s.Resume(f.ctx()))(t)
	f.pass(f.lifetime + f.lifetime/8) // stores keep a little longer
	if marks := Must(f.s.ClientWatermarks(f.ctx()))(t); len(marks) != 1 || !marks[otherApp].Before.Equal(mark) {
		t.Errorf("watermarks %v, want only that without an end", marks)
	}
	if got := Must(f.s.Grant(f.ctx(), grant))(t); got != nil {
		t.Errorf("grant %q, want none any more", got)
	}
	if got := Must(f.s.Grant(f.ctx(), storage.GrantID{8}))(t); string(got) != "for good" {
		t.Errorf("grant %q, want one for good", got)
	}
	f.endEveryone() // reads them all
}

func moveNotes(t *testing.T, f *fixture) {
	f.empty()
	f.noted(app, otherApp)
	first := f.session
	f.session = f.login()
	f.noted(otherApp)
	if !Must(f.s.LeaseSender(f.ctx(), storage.NodeMark{1}, time.Minute))(t) {
		t.Error("the only node may not send")
	}
	NoError(t, f.s.ExpectLogouts(f.ctx(), storage.ExpectRequest{User: f.user}))
	f.written(f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}).Told, 1)
	attempt, taken := f.wantLogouts(f.session.ID, 0, otherApp)
	f.done(attempt, taken[0], time.Millisecond)
	f.pass(10 * time.Millisecond)
	f.move()
	attempt, taken = f.wantLogouts(f.session.ID, 1, otherApp)
	f.done(attempt, taken[0], -1)
	f.wantLogouts(f.session.ID, 0)
	f.written(f.end(storage.EndRequest{Scope: storage.EndSession, Session: first.ID}).Told, 2)
	f.wantLogouts(first.ID, 0, app, otherApp)
}

func moveMany(t *testing.T, f *fixture) {
	f.empty()
	const many = 1200
	families := map[storage.UserTag]storage.Family{}
	for range many {
		f.user = random[storage.UserTag]()
		f.session = f.login()
		families[f.user] = f.family()
	}
	f.move()
	for user, want := range families {
		if got := Must(f.s.ListFamilies(f.ctx(), user))(t); len(got) != 1 || got[0] != want {
			t.Fatalf("families %+v, want %+v", got, want)
		}
	}
}

func exportStops(t *testing.T, f *fixture) {
	family := f.family()
	f.end(storage.EndRequest{Scope: storage.EndFamily, Family: f.family().ID})
	f.export()
	for name, call := range map[string]func() error{
		"Rotate": func() error { _, err := f.s.Rotate(f.ctx(), f.present(family, 1)); return err },
		"End": func() error {
			_, err := f.s.End(f.ctx(), storage.EndRequest{User: f.user, Scope: storage.EndUser, DenyFor: denyFor})
			return err
		},
		"CreateFamily": func() error { _, err := f.s.CreateFamily(f.ctx(), f.createRequest()); return err },
		"DenyToken":    func() error { return f.s.DenyToken(f.ctx(), f.user, storage.TokenID{}, f.now().Add(denyFor)) },
		"EndClient":    func() error { _, err := f.s.EndClient(f.ctx(), app, 0); return err },
		"PutGrant":     func() error { return f.s.PutGrant(f.ctx(), storage.GrantID{3}, []byte("text"), time.Hour) },
		"SwapKeys":     func() error { _, err := f.s.SwapKeys(f.ctx(), 0, []byte("sealed")); return err },
		"PutAlias":     func() error { return f.s.PutAlias(f.ctx(), storage.Alias{From: "company|b", Subject: "company|a"}) },
		"Rebind":       func() error { _, err := f.s.Rebind(f.ctx(), storage.RebindRequest{User: f.user}); return err },
		"Enable":       func() error { _, err := f.s.Enable(f.ctx(), f.user, random8[storage.Attempt]()); return err },
	} {
		if err := call(); !errors.Is(err, storage.ErrMoved) {
			t.Errorf("%s on a store that was exported: %v", name, err)
		}
	}
	if len(f.denials().Entries) != 1 {
		t.Error("a store that was exported does not tell what is denied")
	}
	f.wantLive(family.ID)

	f.closeAndReplace()
	if _, err := f.s.Open(f.ctx(), storage.OpenRequest{Secrets: [][16]byte{secret}}); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("opening a store that was exported: %v", err)
	}
	Must(f.s.Open(f.ctx(), storage.OpenRequest{Secrets: [][16]byte{secret}, Transfer: true}))(t)
	f.export() // again, as after one whose file was lost
	if !Must(f.s.Resume(f.ctx()))(t) {
		t.Error("the store is said not to have been stopped")
	}
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.reopen()
	f.rotate(f.present(family, 2), storage.Rotated, 3)
}

func exportFails(t *testing.T, f *fixture) {
	family := f.family()
	full := errors.New("the disk is full")
	if err := f.s.Export(f.ctx(), func(storage.Record) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.export()
	if err := f.s.Export(f.ctx(), func(storage.Record) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if _, err := f.s.Rotate(f.ctx(), f.present(family, 2)); !errors.Is(err, storage.ErrMoved) {
		t.Errorf("a second export that failed took back the first: %v", err)
	}
}

func importAgain(t *testing.T, f *fixture) {
	empty := f.empty()
	family := f.family()
	records := f.export()
	f.replace(empty)
	broken := errors.New("the file ends here")
	id, other := [16]byte{1}, [16]byte{2}
	if err := f.s.Import(f.ctx(), id, sequence(records, broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if _, err := f.s.Open(f.ctx(), storage.OpenRequest{Secrets: [][16]byte{secret}}); !errors.Is(err, storage.ErrUnfinishedImport) {
		t.Errorf("opening what is half imported: %v", err)
	}
	if err := f.s.Import(f.ctx(), other, sequence(records, nil)); !errors.Is(err, storage.ErrUnfinishedImport) {
		t.Errorf("importing something else: %v", err)
	}
	NoError(t, f.s.Import(f.ctx(), id, sequence(append(records, records[1:]...), nil))) // a scan may bring things twice
	f.reimport()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
}

func importIntoSome(t *testing.T, f *fixture) {
	empty := f.empty()
	family := f.family()
	records := f.export()
	if err := f.s.Import(f.ctx(), [16]byte{1}, sequence(records, nil)); err == nil {
		t.Error("an open store was imported into")
	}
	f.replace(empty)
	NoError(t, f.s.Import(f.ctx(), [16]byte{1}, sequence(records, nil)))
	if err := f.s.Import(f.ctx(), [16]byte{1}, sequence(records, nil)); !errors.Is(err, storage.ErrNotEmpty) {
		t.Errorf("importing twice: %v", err)
	}
	f.reimport()
	f.rotate(f.present(family, 1), storage.Rotated, 2)
}

func importNothing(t *testing.T, f *fixture) {
	empty := f.empty()
	f.export()
	f.replace(empty)
	if err := f.s.Import(f.ctx(), [16]byte{1}, sequence(nil, nil)); err == nil {
		t.Error("nothing was imported, without an error")
	}
	if _, err := f.s.Open(f.ctx(), storage.OpenRequest{Secrets: [][16]byte{secret}}); !errors.Is(err, storage.ErrUnfinishedImport) {
		t.Errorf("opening what was not imported: %v", err)
	}
}
