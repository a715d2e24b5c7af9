package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
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
	s       tokens.Store
	user    tokens.UserTag
	session tokens.Session
	known   map[tokens.ClientTag]time.Time // watermarks: see endClient
	// lifetime is a short while on the store's clock: families and sessions of
	// a fixture live for two of it and unused for one.
	lifetime time.Duration
}

const (
	leeway  = 10 * time.Second
	denyFor = 10 * time.Minute
)

var (
	secret      = [16]byte{1}
	app         = tokens.TagClient("app")
	otherApp    = tokens.TagClient("other app")
	grant       = tokens.GrantID{7}
	fingerprint = tokens.Fingerprint{1, 2, 3}
	profile     = []byte(`{"name":"Alice"}`)
)

func newFixture(t *testing.T, h Harness) *fixture {
	t.Helper()
	f := &fixture{t: t, h: h, s: h.Store, user: random[tokens.UserTag](), lifetime: time.Hour, known: map[tokens.ClientTag]time.Time{}}
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

func (f *fixture) open(secrets ...[16]byte) tokens.OpenResult {
	f.t.Helper()
	return must(f.s.Open(f.ctx(), tokens.OpenRequest{Secrets: secrets, TokenLifetime: 10 * time.Minute}))(f.t)
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
	return must(f.s.Now(f.ctx()))(f.t)
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

func (f *fixture) login(change ...func(*tokens.SessionRequest)) tokens.Session {
	f.t.Helper()
	r := tokens.SessionRequest{
		User: f.user, ID: random8[tokens.SessionID](), Lifetime: 2 * f.lifetime,
		Profile: profile, Fingerprint: fingerprint, AuthTime: tokens.AtLogin, DenyFor: denyFor, BegunAfter: f.known[tokens.Everyone],
	}
	apply(&r, change)
	return must(f.s.CreateSession(f.ctx(), r))(f.t)
}

// createRequest returns a request for a family of the fixture's session.
func (f *fixture) createRequest(change ...func(*tokens.CreateRequest)) tokens.CreateRequest {
	r := tokens.CreateRequest{
		User: f.user, ID: random[tokens.FamilyID](), Client: app, Grant: grant,
		Session: f.session.ID, Begun: f.session.Begun, AuthTime: f.session.AuthTime,
		Lifetime: 2 * f.lifetime, IdleLifetime: f.lifetime, MaxActive: 200,
		BegunAfter: f.begunAfter(app), DenyFor: denyFor, Attempt: random8[tokens.Attempt](),
	}
	apply(&r, change)
	return r
}

// begunAfter is the watermark that the fixture's calls about a client go by.
func (f *fixture) begunAfter(client tokens.ClientTag) time.Time {
	return newest(f.known[client], f.known[tokens.Everyone])
}

func newest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// family makes a family that must be created.
func (f *fixture) family(change ...func(*tokens.CreateRequest)) tokens.Family {
	f.t.Helper()
	res := f.create(f.createRequest(change...))
	if !res.Created {
		f.t.Fatal("CreateFamily: the family was not created")
	}
	return res.Family
}

func (f *fixture) create(r tokens.CreateRequest) tokens.CreateResult {
	f.t.Helper()
	return must(f.s.CreateFamily(f.ctx(), r))(f.t)
}

// present returns a request that presents a generation of a family.
func (f *fixture) present(family tokens.Family, generation uint32, change ...func(*tokens.RotateRequest)) tokens.RotateRequest {
	r := tokens.RotateRequest{
		User: f.user, Family: family.ID, Client: family.Client, Grant: family.Grant,
		Presented: generation, Rotation: true, Leeway: leeway,
		Lifetime: 2 * f.lifetime, IdleLifetime: f.lifetime,
		BegunAfter: f.begunAfter(family.Client), Fingerprint: fingerprint, DenyFor: denyFor, Attempt: random8[tokens.Attempt](),
	}
	apply(&r, change)
	return r
}

func strict(r *tokens.RotateRequest)     { r.Leeway = 0 }
func noRotation(r *tokens.RotateRequest) { r.Rotation = false }

// rotate sends a request and demands an outcome and, if it is not 0, a generation.
func (f *fixture) rotate(r tokens.RotateRequest, want tokens.RotateOutcome, generation uint32) tokens.RotateResult {
	f.t.Helper()
	res := must(f.s.Rotate(f.ctx(), r))(f.t)
	if res.Outcome != want {
		f.t.Fatalf("Rotate(generation %d): outcome %d, want %d", r.Presented, res.Outcome, want)
	}
	if generation != 0 && res.Family.Generation != generation {
		f.t.Fatalf("Rotate(generation %d): now at %d, want %d", r.Presented, res.Family.Generation, generation)
	}
	return res
}

func (f *fixture) end(r tokens.EndRequest) tokens.EndResult {
	f.t.Helper()
	if r.Attempt == (tokens.Attempt{}) {
		r.Attempt = random8[tokens.Attempt]()
	}
	r.User, r.DenyFor = f.user, denyFor
	return must(f.s.End(f.ctx(), r))(f.t)
}

func (f *fixture) denials() tokens.UserDenials {
	f.t.Helper()
	return must(f.s.Denials(f.ctx(), []tokens.UserTag{f.user}))(f.t)[0]
}

// wantDenied demands that the access tokens of a family are denied long enough.
func (f *fixture) wantDenied(id tokens.FamilyID, since time.Time) {
	f.t.Helper()
	f.wantEntry(tokens.DenyFamily, id, since)
}

// wantEntry demands an entry of the denylist that lives long enough.
func (f *fixture) wantEntry(kind tokens.DenialKind, id [16]byte, since time.Time) {
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
func (f *fixture) wantLive(want ...tokens.FamilyID) {
	f.t.Helper()
	got := must(f.s.ListFamilies(f.ctx(), f.user))(f.t)
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
func (f *fixture) findSession(id tokens.SessionID, idle time.Duration) (tokens.Session, []byte, bool) {
	f.t.Helper()
	session, profile, found, err := f.s.Session(f.ctx(), f.user, id, idle)
	noError(f.t, err)
	return session, profile, found
}

func (f *fixture) wantSession(id tokens.SessionID, want bool) {
	f.t.Helper()
	if _, _, found := f.findSession(id, 0); found != want {
		f.t.Errorf("session found %v, want %v", found, want)
	}
}
