package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var consentCases = []testCase{
	{"comes with the code", consentWithCode},
	{"what a code rests on", consentRestsOn},
	{"bounded", consentBound},
	{"ends", consentEnds},
	{"the user's password is changed", consentPassword},
	{"moves", consentMoves},
	{"H10: withdrawn", consentWithdrawn},
	{"H10: a withdrawal that is sent again", consentWithdrawnAgain},
	{"H10: a code in flight", consentInFlight},
	{"H10: agreed again in that very second", consentAgreedAgain},
	{"H10: withdrawn at once by many", consentRacing},
	{"H10: withdrawals are folded", consentFold},
	{"H10: a device comes late", consentDevice},
}

// agreement is a consent that the core could write.
func agreement(n byte) *storage.Consent {
	return &storage.Consent{Agreed: storage.GrantID{n}, Name: "An application with a name that is long", Host: n%2 == 1}
}

// codeFor puts a code for a client.
func (f *fixture) codeFor(client storage.ClientTag, want storage.PutOutcome, change ...func(*storage.PutRequest)) storage.CodeID {
	f.t.Helper()
	r := storage.PutRequest{
		User: f.user, ID: random[storage.CodeID](), Session: f.session.ID, Owner: codeOwner, Body: codeBody, Lifetime: f.lifetime, Client: client,
	}
	Apply(&r, change)
	if got := Must(f.s.PutCode(f.ctx(), r))(f.t); got != want {
		f.t.Fatalf("PutCode: %d, want %d", got, want)
	}
	return r.ID
}

func agreeing(n, before byte) func(*storage.PutRequest) {
	return func(r *storage.PutRequest) { r.Consent, r.RestsOn = agreement(n), restsOn(before) }
}

func resting(n byte) func(*storage.PutRequest) {
	return func(r *storage.PutRequest) { r.RestsOn = restsOn(n) }
}

func restsOn(n byte) (id storage.GrantID) {
	if n != 0 {
		id = agreement(n).Agreed
	}
	return id
}

// consentTo returns what a session says of a client.
func (f *fixture) consentTo(client storage.ClientTag) storage.Consent {
	f.t.Helper()
	s, _, found, err := f.s.Session(f.ctx(), f.user, f.session.ID, 0, client)
	NoError(f.t, err)
	if !found {
		f.t.Fatal("the session is gone")
	}
	return s.Consent
}

func (f *fixture) wantConsent(client storage.ClientTag, n byte) storage.Consent {
	f.t.Helper()
	c := f.consentTo(client)
	if c.Agreed != restsOn(n) || (c.Client == client) != (n != 0) {
		f.t.Fatalf("agreed to %v, want %d", c.Agreed, n)
	}
	return c
}

func (f *fixture) withdraw(client storage.ClientTag, change ...func(*storage.EndRequest)) storage.EndResult {
	f.t.Helper()
	r := storage.EndRequest{Scope: storage.EndConsent, Client: client}
	Apply(&r, change)
	return f.end(r)
}

func (f *fixture) takeFor(client storage.ClientTag, id storage.CodeID, want storage.CodeOutcome) storage.TakeResult {
	f.t.Helper()
	r := f.takeRequest(id)
	r.Client = client
	res := Must(f.s.TakeCode(f.ctx(), r))(f.t)
	if res.Outcome != want {
		f.t.Fatalf("TakeCode: %d, want %d", res.Outcome, want)
	}
	return res
}

// of makes a family come of a code.
func of(res storage.TakeResult) func(*storage.CreateRequest) {
	return func(r *storage.CreateRequest) { r.Taken, r.Issued = res.TakenAt, res.IssueAt }
}

func consentWithCode(t *testing.T, f *fixture) {
	f.wantConsent(app, 0)
	f.codeFor(app, storage.PutKept) // of a client that nobody is asked about
	f.wantConsent(app, 0)
	before := f.now().Truncate(time.Second)
	id := f.codeFor(app, storage.PutKept, agreeing(1, 0))
	c := f.wantConsent(app, 1)
	if want := agreement(1); c.Name != want.Name[:storage.MaxConsentName] || !c.Host || c.When.Before(before) || !c.Used.Equal(c.When) {
		t.Errorf("the consent is %+v", c)
	}
	// The same call sent again changes nothing.
	f.codeFor(app, storage.PutKept, agreeing(1, 0), func(r *storage.PutRequest) { r.ID = id })
	f.wantConsent(otherApp, 0)
	f.codeFor(app, storage.PutKept, agreeing(2, 1))
	f.codeFor(otherApp, storage.PutKept, agreeing(3, 0))
	f.reopen()
	f.wantConsent(app, 2)
	f.wantConsent(otherApp, 3)
	if s, _, _, err := f.s.Session(f.ctx(), f.user, f.session.ID, 0, storage.ClientTag{}); err != nil || s.Consent != (storage.Consent{}) {
		t.Errorf("a consent to nobody: %+v, %v", s.Consent, err)
	}
	all := Must(f.s.Consents(f.ctx(), f.user))(t)
	if len(all) != 2 || all[0].When.After(all[1].When) {
		t.Errorf("consents: %+v", all)
	}
	if other := Must(f.s.Consents(f.ctx(), random[storage.UserTag]()))(t); len(other) != 0 {
		t.Errorf("somebody else's: %+v", other)
	}
}

func consentRestsOn(t *testing.T, f *fixture) {
	f.codeFor(app, storage.PutOtherConsent, resting(1))
	f.codeFor(app, storage.PutKept, agreeing(1, 0))
	f.codeFor(app, storage.PutOtherConsent, agreeing(2, 0)) // another tab was faster
	id := f.codeFor(app, storage.PutOtherConsent, resting(2))
	f.takeFor(app, id, storage.CodeUnknown)
	f.codeFor(app, storage.PutKept, resting(1))
	if f.h.Advance != nil {
		used := f.wantConsent(app, 1).Used
		f.pass(storage.TouchConsent - 2*time.Second)
		f.session = f.login()
		f.codeFor(app, storage.PutKept, resting(1))
		if c := f.wantConsent(app, 1); !c.Used.Equal(used) {
			t.Error("a use soon after the last one is written")
		}
		f.pass(3 * time.Second)
		f.codeFor(app, storage.PutKept) // also one that does not rest on it
		if c := f.wantConsent(app, 1); !c.Used.After(used) || !c.When.Equal(used) || c.Name == "" {
			t.Errorf("after a use an hour later: %+v", c)
		}
	}
	f.withdraw(app)
	f.codeFor(app, storage.PutOtherConsent, resting(1))
	f.codeFor(app, storage.PutOtherConsent, agreeing(2, 1)) // the person was asked for the difference alone
}

func consentBound(t *testing.T, f *fixture) {
	tag := func(i int) storage.ClientTag { return storage.ClientTag{1, byte(i)} }
	for i := range storage.MaxConsents + 1 {
		f.codeFor(tag(i), storage.PutKept, agreeing(1, 0))
	}
	all := Must(f.s.Consents(f.ctx(), f.user))(t)
	if len(all) != storage.MaxConsents {
		t.Errorf("%d consents, want %d", len(all), storage.MaxConsents)
	}
	f.wantConsent(tag(storage.MaxConsents), 1)
	if f.h.Advance == nil {
		return
	}
	f.pass(storage.TouchConsent + time.Second)
	f.session = f.login()
	for _, c := range all[:len(all)-1] {
		f.codeFor(c.Client, storage.PutKept, resting(1))
	}
	f.codeFor(app, storage.PutKept, agreeing(1, 0))
	f.wantConsent(all[len(all)-1].Client, 0) // the least used
	f.wantConsent(all[0].Client, 1)
}

func consentEnds(t *testing.T, f *fixture) {
	f.needClock()
	f.codeFor(app, storage.PutKept, agreeing(1, 0))
	f.end(storage.EndRequest{Scope: storage.EndUser})
	f.pass(storage.KeepConsent - time.Minute)
	f.session = f.login()
	f.codeFor(app, storage.PutKept, resting(1))
	f.pass(storage.KeepConsent - time.Minute)
	f.session = f.login()
	f.wantConsent(app, 1)
	f.pass(time.Minute)
	f.wantConsent(app, 0)
	if all := Must(f.s.Consents(f.ctx(), f.user))(t); len(all) != 0 {
		t.Errorf("what is over is listed: %+v", all)
	}
	f.codeFor(app, storage.PutOtherConsent, resting(1))
}

func consentPassword(_ *testing.T, f *fixture) {
	f.codeFor(app, storage.PutKept, agreeing(1, 0))
	f.session = f.login()
	f.wantConsent(app, 1)
	f.end(storage.EndRequest{Scope: storage.EndUser})
	f.session = f.login()
	f.wantConsent(app, 1)
	f.session = f.login(password(storage.Fingerprint{9}))
	f.wantConsent(app, 0)
}

func consentMoves(t *testing.T, f *fixture) {
	f.codeFor(app, storage.PutKept, agreeing(1, 0))
	f.codeFor(otherApp, storage.PutKept, agreeing(2, 0))
	id := f.codeFor(storage.ClientTag{9}, storage.PutKept, agreeing(2, 0))
	f.withdraw(storage.ClientTag{9})
	before, denied := Must(f.s.Consents(f.ctx(), f.user))(t), f.denials()
	f.move()
	if after := Must(f.s.Consents(f.ctx(), f.user))(t); !slices.Equal(before, after) {
		t.Errorf("moved %+v, want %+v", after, before)
	}
	if after := f.denials(); !slices.Equal(after.Entries, denied.Entries) {
		t.Errorf("moved %+v, want %+v", after, denied)
	}
	f.takeFor(storage.ClientTag{9}, id, storage.CodeUnknown)
	f.codeFor(app, storage.PutKept, resting(1))
}

// wantWithdrawn demands an entry that reaches what was issued until a time.
func (f *fixture) wantWithdrawn(client storage.ClientTag, at time.Time) time.Time {
	f.t.Helper()
	for _, d := range f.denials().Entries {
		if d.Kind != storage.DenyClient {
			continue
		}
		if of, until := d.Withdrawn(); of == client && !until.Before(at.Truncate(time.Second)) && !d.Until.Before(at.Add(denyFor).Truncate(time.Second)) {
			return until
		}
	}
	f.t.Fatalf("the denylist does not withdraw the client until %v", at)
	return time.Time{}
}

func consentWithdrawn(t *testing.T, f *fixture) {
	f.codeFor(app, storage.PutKept, agreeing(1, 0))
	f.codeFor(otherApp, storage.PutKept, agreeing(2, 0))
	one, two := f.family(), f.family()
	other := f.family(func(r *storage.CreateRequest) { r.Client = otherApp })
	before := f.now()
	res := f.withdraw(app)
	want := []storage.FamilyID{one.ID, two.ID}
	slices.SortFunc(res.Families, compareFamilies)
	slices.SortFunc(want, compareFamilies)
	if !res.New || !slices.Equal(res.Families, want) || res.Now.Before(before) {
		t.Errorf("withdrawn: %+v", res)
	}
	f.wantWithdrawn(app, before)
	f.wantLive(other.ID)
	f.rotate(f.present(one, 1), storage.RotateUnknown, 0)
	f.rotate(f.present(other, 1), storage.Rotated, 2)
	f.wantConsent(app, 0)
	f.wantConsent(otherApp, 2)
	f.reopen()
	f.wantWithdrawn(app, before)
	f.wantSession(f.session.ID, true)
	if res := f.withdraw(storage.ClientTag{7}); res.New || len(res.Families) != 0 {
		t.Errorf("what was never agreed to: %+v", res)
	}
}

func compareFamilies(a, b storage.FamilyID) int { return slices.Compare(a[:], b[:]) }

func consentWithdrawnAgain(t *testing.T, f *fixture) {
	f.codeFor(app, storage.PutKept, agreeing(1, 0))
	f.family()
	mine := func(r *storage.EndRequest) { r.Attempt = storage.Attempt{7} }
	first := f.withdraw(app, mine)
	f.pass(2 * time.Second)
	f.codeFor(app, storage.PutKept, agreeing(2, 0))
	family := f.family()
	if again := f.withdraw(app, mine); !again.New || !slices.Equal(again.Families, first.Families) {
		t.Errorf("the same call: %+v, want %+v", again, first)
	}
	f.wantConsent(app, 2)
	f.wantLive(family.ID)
	if res := f.withdraw(app); !res.New || !slices.Equal(res.Families, []storage.FamilyID{family.ID}) {
		t.Errorf("another call: %+v", res)
	}
	f.wantConsent(app, 0)
}

func consentInFlight(t *testing.T, f *fixture) {
	put, taken, mine := f.codeFor(app, storage.PutKept, agreeing(1, 0)), f.codeFor(app, storage.PutKept, resting(1)), f.codeFor(otherApp, storage.PutKept)
	took := f.takeFor(app, taken, storage.CodeTaken)
	f.withdraw(app)
	f.takeFor(app, put, storage.CodeUnknown)
	if res := f.create(f.createRequest(of(took))); res.Created {
		t.Error("a family came of a code that was taken before the withdrawal")
	}
	f.wantLive()
	f.takeFor(otherApp, mine, storage.CodeTaken)
	f.pass(2 * time.Second)
	f.takeFor(app, put, storage.CodeUnknown)
	if f.create(f.createRequest(of(took))).Created {
		t.Error("a family came of it later")
	}
}

// What is agreed to in the second of a withdrawal is good, and what comes of it is dated behind.
func consentAgreedAgain(t *testing.T, f *fixture) {
	for range 2 {
		if f.h.Advance != nil {
			f.toSecond(100 * time.Millisecond)
		}
		f.codeFor(app, storage.PutKept, agreeing(1, 0))
		f.withdraw(app)
		id := f.codeFor(app, storage.PutKept, agreeing(2, 0))
		res := f.takeFor(app, id, storage.CodeTaken)
		until := f.wantWithdrawn(app, f.session.Begun)
		created := f.create(f.createRequest(of(res)))
		if !created.Created || !created.Family.Created.After(until) || !created.IssueAt.After(until) || !res.IssueAt.After(until) {
			t.Fatalf("withdrawn until %v, then %+v of %+v", until, created, res)
		}
		if rotated := f.rotate(f.present(created.Family, 1), storage.Rotated, 2); !rotated.IssueAt.After(until) {
			t.Errorf("a refresh is dated %v, withdrawn until %v", rotated.IssueAt, until)
		}
		// The next withdrawal reaches what was dated ahead.
		f.withdraw(app)
		if until := f.wantWithdrawn(app, created.IssueAt); until.Before(created.IssueAt.Truncate(time.Second)) {
			t.Errorf("withdrawn until %v, issued %v", until, created.IssueAt)
		}
		f.pass(5 * time.Second)
		f.session = f.login()
	}
}

func consentRacing(t *testing.T, f *fixture) {
	f.codeFor(app, storage.PutKept, agreeing(1, 0))
	Concurrently(8, func(i int) {
		var err error
		if i%2 == 0 {
			_, err = f.s.End(f.ctx(), storage.EndRequest{
				User: f.user, Scope: storage.EndConsent, Client: app, DenyFor: denyFor, Attempt: random8[storage.Attempt](),
			})
		} else {
			var r storage.CreateResult
			if r, err = f.s.CreateFamily(f.ctx(), f.createRequest()); err == nil && !r.Created {
				t.Error("a family that comes of no code was not created")
			}
		}
		if err != nil {
			t.Errorf("store: %v", err)
		}
	})
	f.withdraw(app)
	f.wantLive()
	f.wantConsent(app, 0)
}

func consentFold(t *testing.T, f *fixture) {
	f.needClock()
	id := f.codeFor(app, storage.PutKept)
	f.withdraw(app)
	f.pass(storage.FoldAfter + time.Minute)
	for range storage.MaxDenials + 1 {
		NoError(t, f.s.DenyToken(f.ctx(), f.user, random[storage.TokenID](), f.now().Add(denyFor)))
	}
	if n := len(f.denials().Entries); n > storage.MaxDenials/2 {
		t.Fatalf("%d entries: nothing was folded", n)
	}
	f.takeFor(app, id, storage.CodeUnknown)
}

// The code of a device lives for 17 minutes, longer than tokens are denied.
func consentDevice(_ *testing.T, f *fixture) {
	f.needClock()
	const late = 16 * time.Minute
	waits := func(r *storage.PutRequest) { r.Lifetime = 17 * time.Minute }
	id := f.codeFor(app, storage.PutKept, waits)
	f.withdraw(app)
	f.pass(late)
	f.takeFor(app, id, storage.CodeUnknown)

	f.session = f.login()
	id = f.codeFor(otherApp, storage.PutKept, waits)
	f.withdraw(otherApp)
	f.pass(storage.FoldAfter + time.Minute)
	f.denyTokens(storage.MaxDenials + 1)
	f.pass(late - storage.FoldAfter - time.Minute)
	f.takeFor(otherApp, id, storage.CodeUnknown)
}
