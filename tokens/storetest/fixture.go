package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// testCase is one demand on a store.
type testCase struct {
	name string
	run  func(t *testing.T, f *fixture)
}

// fixture is an open store, and a user who is logged in.
type fixture struct {
	t       *testing.T
	h       Harness
	s       storage.Store
	user    storage.UserTag
	session storage.Session
	known   map[storage.ClientTag]time.Time // watermarks: see endClient
	// lifetime is a short while on the store's clock: families and sessions of
	// a fixture live for two of it and unused for one.
	lifetime time.Duration
}

const (
	Leeway  = 10 * time.Second
	denyFor = 10 * time.Minute
)

var (
	secret      = [16]byte{1}
	app         = storage.TagClient("app")
	otherApp    = storage.TagClient("other app")
	grant       = storage.GrantID{7}
	Fingerprint = storage.Fingerprint{1, 2, 3}
	profile     = storage.Profile{Subject: "local|alice", Fingerprint: Fingerprint, Person: storage.Person{Claims: []byte(`{"name":"Alice"}`)}}
)

func newFixture(t *testing.T, h Harness) *fixture {
	t.Helper()
	f := &fixture{t: t, h: h, s: h.Store, user: random[storage.UserTag](), lifetime: time.Hour, known: map[storage.ClientTag]time.Time{}}
	if h.Advance == nil {
		f.lifetime = 3 * time.Second
	}
	t.Cleanup(func() {
		if err := f.s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	f.open(secret)
	f.session = f.login()
	return f
}

func (f *fixture) open(secrets ...[16]byte) storage.OpenResult {
	f.t.Helper()
	return Must(f.s.Open(f.ctx(), storage.OpenRequest{Secrets: secrets, TokenLifetime: 10 * time.Minute}))(f.t)
}

// reopen closes the store and opens its state again.
func (f *fixture) reopen() {
	f.t.Helper()
	f.closeAndReplace()
	f.open(secret)
}

func (f *fixture) closeAndReplace() {
	f.t.Helper()
	if err := f.s.Close(); err != nil {
		f.t.Fatalf("closing the store: %v", err)
	}
	f.s = f.h.Reopen(f.t)
}

func (f *fixture) ctx() context.Context { return f.t.Context() }

func (f *fixture) now() time.Time {
	f.t.Helper()
	return Must(f.s.Now(f.ctx()))(f.t)
}

// pass lets time pass.
func (f *fixture) pass(d time.Duration) {
	if f.h.Advance != nil {
		f.h.Advance(d)
		return
	}
	time.Sleep(d)
}

// needClock skips a case that needs an exact moment.
func (f *fixture) needClock() {
	f.t.Helper()
	if f.h.Advance == nil {
		f.t.Skip("the clock of this store can't be moved by a test")
	}
}

// toSecond moves the clock to the given part of the next second.
func (f *fixture) toSecond(part time.Duration) {
	f.t.Helper()
	now := f.now()
	f.pass(now.Truncate(time.Second).Add(time.Second + part).Sub(now))
}

func (f *fixture) login(change ...func(*storage.SessionRequest)) storage.Session {
	f.t.Helper()
	r := storage.SessionRequest{
		User: f.user, ID: random8[storage.SessionID](), Lifetime: 2 * f.lifetime,
		Profile: profile, AuthTime: storage.AtLogin, DenyFor: denyFor, BegunAfter: f.known[storage.Everyone],
	}
	Apply(&r, change)
	return Must(f.s.CreateSession(f.ctx(), r))(f.t)
}

// createRequest returns a request for a family of the fixture's session.
func (f *fixture) createRequest(change ...func(*storage.CreateRequest)) storage.CreateRequest {
	r := storage.CreateRequest{
		User: f.user, ID: random[storage.FamilyID](), Client: app, Grant: grant,
		Session: f.session.ID, Begun: f.session.Begun, AuthTime: f.session.AuthTime,
		Lifetime: 2 * f.lifetime, IdleLifetime: f.lifetime, MaxActive: 200,
		BegunAfter: f.begunAfter(app), DenyFor: denyFor, Attempt: random8[storage.Attempt](),
	}
	Apply(&r, change)
	return r
}

// begunAfter is the watermark that the fixture's calls about a client go by.
func (f *fixture) begunAfter(client storage.ClientTag) time.Time {
	return newest(f.known[client], f.known[storage.Everyone])
}

func newest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// family makes a family that must be created.
func (f *fixture) family(change ...func(*storage.CreateRequest)) storage.Family {
	f.t.Helper()
	res := f.create(f.createRequest(change...))
	if !res.Created {
		f.t.Fatal("CreateFamily: the family was not created")
	}
	return res.Family
}

func (f *fixture) create(r storage.CreateRequest) storage.CreateResult {
	f.t.Helper()
	return Must(f.s.CreateFamily(f.ctx(), r))(f.t)
}

// present returns a request that presents a generation of a family.
func (f *fixture) present(family storage.Family, generation uint32, change ...func(*storage.RotateRequest)) storage.RotateRequest {
	r := storage.RotateRequest{
		User: f.user, Family: family.ID, Client: family.Client, Grant: family.Grant,
		Presented: generation, Rotation: true, Leeway: Leeway,
		Lifetime: 2 * f.lifetime, IdleLifetime: f.lifetime,
		BegunAfter: f.begunAfter(family.Client), Fingerprints: []storage.Fingerprint{Fingerprint}, DenyFor: denyFor, Attempt: random8[storage.Attempt](),
	}
	Apply(&r, change)
	return r
}

// with changes the fingerprints of a request.
func with(prints ...storage.Fingerprint) func(*storage.RotateRequest) {
	return func(r *storage.RotateRequest) { r.Fingerprints = prints }
}

// password changes the fingerprint of a login.
func password(f storage.Fingerprint) func(*storage.SessionRequest) {
	return func(r *storage.SessionRequest) { r.Profile.Fingerprint = f }
}

// sameProfile compares profiles; one that is wanted without AsOf may have any.
func sameProfile(got, want storage.Profile) bool {
	if want.Person.AsOf.IsZero() {
		got.Person.AsOf = time.Time{}
	}
	g, _ := got.Person.MarshalBinary()
	w, _ := want.Person.MarshalBinary()
	return got.Subject == want.Subject && got.Fingerprint == want.Fingerprint && bytes.Equal(g, w)
}

func strict(r *storage.RotateRequest)     { r.Leeway = 0 }
func noRotation(r *storage.RotateRequest) { r.Rotation = false }

// rotate sends a request and demands an outcome and, if it is not 0, a generation.
func (f *fixture) rotate(r storage.RotateRequest, want storage.RotateOutcome, generation uint32) storage.RotateResult {
	f.t.Helper()
	res := Must(f.s.Rotate(f.ctx(), r))(f.t)
	if res.Outcome != want {
		f.t.Fatalf("Rotate(generation %d): outcome %d, want %d", r.Presented, res.Outcome, want)
	}
	if generation != 0 && res.Family.Generation != generation {
		f.t.Fatalf("Rotate(generation %d): now at %d, want %d", r.Presented, res.Family.Generation, generation)
	}
	return res
}

func (f *fixture) end(r storage.EndRequest) storage.EndResult {
	f.t.Helper()
	if r.Attempt == (storage.Attempt{}) {
		r.Attempt = random8[storage.Attempt]()
	}
	r.User, r.DenyFor = f.user, denyFor
	return Must(f.s.End(f.ctx(), r))(f.t)
}

func (f *fixture) denials() storage.UserDenials {
	f.t.Helper()
	return Must(f.s.Denials(f.ctx(), []storage.UserTag{f.user}))(f.t)[0]
}

// wantDenied demands that the access tokens of a family are denied long enough.
func (f *fixture) wantDenied(id storage.FamilyID, since time.Time) {
	f.t.Helper()
	f.wantEntry(storage.DenyFamily, id, since)
}

// wantEntry demands an entry of the denylist that lives long enough.
func (f *fixture) wantEntry(kind storage.DenialKind, id [16]byte, since time.Time) {
	f.t.Helper()
	for _, d := range f.denials().Entries {
		if d.Kind == kind && d.ID == id {
			if d.Until.Before(since.Add(denyFor)) {
				f.t.Errorf("denied until %v, want at least %v", d.Until, since.Add(denyFor))
			}
			return
		}
	}
	f.t.Errorf("the denylist has no such entry of kind %d", kind)
}

// wantLive demands which families live, in this order.
func (f *fixture) wantLive(want ...storage.FamilyID) {
	f.t.Helper()
	got := Must(f.s.ListFamilies(f.ctx(), f.user))(f.t)
	if len(got) != len(want) {
		f.t.Fatalf("%d families live, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].ID != want[i] {
			f.t.Errorf("family %d is another one", i)
		}
	}
}

// findSession asks for a session.
func (f *fixture) findSession(id storage.SessionID, idle time.Duration) (storage.Session, storage.Profile, bool) {
	f.t.Helper()
	session, profile, found, err := f.s.Session(f.ctx(), f.user, id, idle, storage.ClientTag{})
	NoError(f.t, err)
	return session, profile, found
}

func (f *fixture) wantSession(id storage.SessionID, want bool) {
	f.t.Helper()
	if _, _, found := f.findSession(id, 0); found != want {
		f.t.Errorf("session found %v, want %v", found, want)
	}
}
