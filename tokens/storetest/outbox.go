package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var outboxCases = []testCase{
	{"what ends a session", outboxEnds},
	{"nothing where nobody asks", outboxNobody},
	{"a lease, and what becomes of it", outboxLease},
	{"the same end sent again", outboxAgain},
	{"nobody starves", outboxFair},
	{"family", outboxFamily},
	{"crash after the end", outboxCrash},
	{"waits for a day", outboxDay},
	{"bounded", outboxBounds},
	{"one sender", outboxSender},
}

const logoutLease = 20 * time.Second

// noted lets clients take a code each in the fixture's session.
func (f *fixture) noted(clients ...storage.ClientTag) {
	f.t.Helper()
	for _, client := range clients {
		id := f.code()
		r := storage.TakeRequest{User: f.user, ID: id, Client: client, Note: 2 * f.lifetime, DenyFor: denyFor, Attempt: random8[storage.Attempt]()}
		if res := Must(f.s.TakeCode(f.ctx(), r))(f.t); res.Outcome != storage.CodeTaken {
			f.t.Fatalf("TakeCode: outcome %d", res.Outcome)
		}
	}
}

// written says that an end has written something, as its caller does.
func (f *fixture) written(told, want int) {
	f.t.Helper()
	if told != want {
		f.t.Errorf("%d logouts were written, want %d", told, want)
	}
	NoError(f.t, f.s.ExpectLogouts(f.ctx(), storage.ExpectRequest{User: f.user, Written: true}))
}

// takeLogouts takes what is due, of the fixture's user.
func (f *fixture) takeLogouts(attempt storage.Attempt) storage.TakenLogouts {
	f.t.Helper()
	return Must(f.s.TakeLogouts(f.ctx(), storage.TakeLogouts{Lease: logoutLease, Attempt: attempt}))(f.t)
}

// wantLogouts demands which clients are to be told now, of which root, and takes them.
func (f *fixture) wantLogouts(root storage.SessionID, tries int, want ...storage.ClientTag) (storage.Attempt, []storage.Logout) {
	f.t.Helper()
	attempt := random8[storage.Attempt]()
	got := f.takeLogouts(attempt).Logouts
	left := make(map[storage.ClientTag]bool)
	for _, c := range want {
		left[c] = true
	}
	for _, l := range got {
		if !left[l.Client] || l.User != f.user || l.Root != root || l.Subject != profile.Subject || l.Tries != tries || l.Since.After(f.now()) {
			f.t.Errorf("to be told: %+v", l)
		}
		delete(left, l.Client)
	}
	if len(left) > 0 {
		f.t.Errorf("%d clients are not told", len(left))
	}
	return attempt, got
}

func (f *fixture) done(attempt storage.Attempt, l storage.Logout, after time.Duration) {
	f.t.Helper()
	NoError(f.t, f.s.DoneLogout(f.ctx(), storage.DoneLogout{User: l.User, Root: l.Root, Client: l.Client, Attempt: attempt, After: after, Tried: after > 0}))
}

func outboxEnds(t *testing.T, f *fixture) {
	for name, end := range map[string]func() int{
		"EndSession":      func() int { return f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}).Told },
		"EndUser":         func() int { return f.end(storage.EndRequest{Scope: storage.EndUser}).Told },
		"a new password":  func() int { return f.login(password(storage.Fingerprint(random8[storage.Attempt]()))).Told },
		"EndUser in time": func() int { return f.end(storage.EndRequest{Scope: storage.EndUser, Before: f.now()}).Told },
		"EndSession twice": func() int {
			r := storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}
			return f.end(r).Told + f.end(r).Told
		},
	} {
		f.session = f.login()
		f.noted(app, otherApp, app)
		f.pass(time.Second)
		f.written(end(), 2)
		attempt, taken := f.wantLogouts(f.session.ID, 0, app, otherApp)
		for _, l := range taken {
			f.done(attempt, l, -1)
		}
		f.pass(logoutLease + time.Second)
		if f.wantLogouts(f.session.ID, 0); t.Failed() {
			t.Fatalf("by %s", name)
		}
	}
	f.session = f.login()
	f.noted(app)
	family := f.family()
	f.pass(2 * time.Second) // it may count from the second after the end before it, and is to be the least used
	told := 0
	for range storage.MaxSessions {
		told += f.login().Told
	}
	f.written(told, 1) // once, by the one that was too many
	f.wantLogouts(f.session.ID, 0, app)
	f.wantSession(f.session.ID, false)
	f.rotate(f.present(family, 1), storage.Rotated, 2)
	f.end(storage.EndRequest{Scope: storage.DisableUser})
}

func outboxNobody(t *testing.T, f *fixture) {
	f.take(f.code(), storage.CodeTaken)
	if res := f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}); res.Told != 0 {
		t.Errorf("%d logouts were written", res.Told)
	}
	f.written(0, 0)
	f.wantLogouts(f.session.ID, 0)
}

func outboxLease(t *testing.T, f *fixture) {
	f.noted(app)
	f.written(f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}).Told, 1)
	first, taken := f.wantLogouts(f.session.ID, 0, app)
	if again := f.takeLogouts(first).Logouts; len(again) > 1 {
		t.Errorf("the same call sent again: %v", again)
	}
	f.wantLogouts(f.session.ID, 0) // it is leased
	f.pass(logoutLease + time.Second)
	second, _ := f.wantLogouts(f.session.ID, 0, app) // whose sender has died
	f.done(first, taken[0], -1)                      // and comes late
	f.done(second, taken[0], 5*time.Second)
	f.wantLogouts(f.session.ID, 1)
	f.pass(6 * time.Second)
	third, _ := f.wantLogouts(f.session.ID, 1, app)
	var seen int
	NoError(t, f.s.ScanUsers(f.ctx(), storage.PartOutbox, func(r storage.Record) error {
		if r.Outbox.User == f.user {
			seen += len(r.Outbox.Waiting)
		}
		return nil
	}))
	if seen != 1 {
		t.Errorf("%d are seen to wait", seen)
	}
	f.done(third, taken[0], -1)
	f.pass(logoutLease + time.Second)
	f.wantLogouts(f.session.ID, 0)
}

// outboxAgain: of the same call sent again, the login in between goes on, and nobody is told of its end.
func outboxAgain(t *testing.T, f *fixture) {
	f.noted(app)
	end := storage.EndRequest{Scope: storage.EndUser, Attempt: storage.Attempt{7}}
	f.written(f.end(end).Told, 1)
	f.wantLogouts(f.session.ID, 0, app)
	f.pass(2 * time.Second)
	f.session = f.login()
	f.noted(app, otherApp)
	if told := f.end(end).Told; told != 0 {
		t.Errorf("%d are told of the end of a session that goes on", told)
	}
	f.wantSession(f.session.ID, true)
	end.Attempt = storage.Attempt{8}
	f.written(f.end(end).Told, 2)
}

// outboxFair: what is put off again and again keeps nobody from being told.
func outboxFair(t *testing.T, f *fixture) {
	f.needClock()
	const users = 3 * storage.MaxTaken
	left := make(map[storage.UserTag]bool)
	for range users {
		f.user = random[storage.UserTag]()
		f.session = f.login()
		f.noted(app)
		f.written(f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}).Told, 1)
		left[f.user] = true
	}
	for range 20 {
		f.pass(time.Second)
		attempt := random8[storage.Attempt]()
		taken := f.takeLogouts(attempt).Logouts
		if len(taken) > storage.MaxTaken {
			t.Fatalf("%d are taken at once", len(taken))
		}
		for _, l := range taken {
			delete(left, l.User)
			f.done(attempt, l, 0)
		}
	}
	if len(left) > 0 {
		t.Errorf("%d of %d users are never taken", len(left), users)
	}
}

func outboxFamily(t *testing.T, f *fixture) {
	f.noted(app, otherApp)
	first, second := f.family(), f.family()
	for i, end := range []storage.EndRequest{
		{Scope: storage.EndFamily, Family: first.ID, Tell: true}, // there is another
		{Scope: storage.EndFamily, Family: second.ID},            // by the client itself
	} {
		if told := f.end(end).Told; told != 0 {
			t.Errorf("end %d: %d are told", i, told)
		}
	}
	third := f.family()
	f.written(f.end(storage.EndRequest{Scope: storage.EndFamily, Family: third.ID, Tell: true}).Told, 1)
	f.wantLogouts(f.session.ID, 0, app)
	f.written(f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}).Told, 1)
	f.wantLogouts(f.session.ID, 0, otherApp)
}

// outboxCrash: a caller who dies after the end, and before it could say so.
func outboxCrash(_ *testing.T, f *fixture) {
	f.noted(app)
	NoError(f.t, f.s.ExpectLogouts(f.ctx(), storage.ExpectRequest{User: f.user}))
	f.takeLogouts(random8[storage.Attempt]()) // somebody looks too early
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
	f.pass(storage.ExpectedFor + time.Second)
	attempt, taken := f.wantLogouts(f.session.ID, 0, app)
	f.done(attempt, taken[0], -1)
	// And one who dies before it: a look, and nothing else.
	f.session = f.login()
	f.noted(app)
	NoError(f.t, f.s.ExpectLogouts(f.ctx(), storage.ExpectRequest{User: f.user}))
	f.pass(storage.ExpectedFor + time.Second)
	f.wantLogouts(f.session.ID, 0)
	f.pass(logoutLease + time.Second)
	f.wantLogouts(f.session.ID, 0)
}

func outboxDay(t *testing.T, f *fixture) {
	f.lifetime = 48 * time.Hour
	f.session = f.login()
	f.noted(app)
	f.written(f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID}).Told, 1)
	f.pass(storage.KeepLogout - time.Minute)
	f.wantLogouts(f.session.ID, 0, app)
	f.pass(2 * time.Minute)
	if got := f.takeLogouts(random8[storage.Attempt]()); len(got.Logouts) != 0 || got.Dropped > 1 {
		t.Errorf("after a day: %+v", got)
	}
}

func outboxBounds(t *testing.T, f *fixture) {
	dropped := 0
	for range 5 {
		var clients []storage.ClientTag
		for range storage.MaxTold + 1 {
			clients = append(clients, random8[storage.ClientTag]())
		}
		f.session = f.login()
		f.noted(clients...)
		f.pass(time.Second)
		res := f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
		f.written(res.Told, storage.MaxTold)
		dropped += res.Dropped
	}
	if want := 5*storage.MaxTold - storage.MaxLogouts; dropped != want {
		t.Errorf("%d dropped, want %d", dropped, want)
	}
	if got := f.takeLogouts(random8[storage.Attempt]()); len(got.Logouts) != storage.MaxLogouts {
		t.Errorf("%d wait", len(got.Logouts))
	}
	first := f.session
	for i := range storage.MaxNoted + 1 {
		if f.session = f.login(); i == 0 {
			first = f.session
		}
		f.noted(app)
		f.pass(time.Second)
	}
	if told := f.end(storage.EndRequest{Scope: storage.EndSession, Session: first.Root}).Told; told != 0 {
		t.Error("the oldest note is still there")
	}
}

func outboxSender(t *testing.T, f *fixture) {
	one := storage.NodeMark{1}
	for range 2 {
		if !Must(f.s.LeaseSender(f.ctx(), one, time.Minute))(t) {
			t.Error("the first node may not send")
		}
	}
}
