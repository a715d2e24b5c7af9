package storetest

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

var deviceCases = []testCase{
	{"approved", deviceApproved},
	{"denied", deviceDenied},
	{"slows down", deviceSlowsDown},
	{"same attempt again", deviceAgain},
	{"unknown", deviceUnknown},
	{"user code in use", deviceInUse},
	{"expires", deviceExpires},
	{"approved late", deviceApprovedLate},
	{"100 decide at once", deviceDecidedOnce},
	{"code outlives the session", deviceCodeOutlives},
	{"survives reopening", deviceReopen},
}

var deviceBody = []byte(`{"client":"tv"}`)

const deviceLifetime = 10 * time.Minute

// putDevice keeps a request that must be kept.
func (f *fixture) putDevice(change ...func(*storage.DevicePut)) storage.DevicePut {
	f.t.Helper()
	r := storage.DevicePut{
		ID: random[storage.DeviceID](), Code: random[storage.CodeID](), Interval: 5 * time.Second, Lifetime: deviceLifetime, Body: deviceBody,
	}
	Apply(&r, change)
	if kept := Must(f.s.PutDevice(f.ctx(), r))(f.t); !kept {
		f.t.Fatal("PutDevice: a new request was not kept")
	}
	return r
}

func (f *fixture) devicePoll(r storage.DevicePut) storage.DevicePoll {
	return storage.DevicePoll{
		ID: r.ID, Code: r.Code, Slack: time.Second, Step: 5 * time.Second, Most: 12 * time.Second, Attempt: random8[storage.Attempt](),
	}
}

// poll asks and demands an outcome.
func (f *fixture) poll(p storage.DevicePoll, want storage.DeviceOutcome) storage.DeviceState {
	f.t.Helper()
	state := Must(f.s.PollDevice(f.ctx(), p))(f.t)
	if state.Outcome != want {
		f.t.Fatalf("PollDevice: outcome %d, want %d", state.Outcome, want)
	}
	return state
}

func (f *fixture) decision(r storage.DevicePut, approved bool) storage.DeviceDecision {
	return storage.DeviceDecision{
		ID: r.ID, Code: r.Code, User: f.user, Approved: approved, Grace: time.Minute, Attempt: random8[storage.Attempt](),
	}
}

func (f *fixture) decideDevice(d storage.DeviceDecision, want bool) {
	f.t.Helper()
	if got := Must(f.s.DecideDevice(f.ctx(), d))(f.t); got != want {
		f.t.Fatalf("DecideDevice: %t, want %t", got, want)
	}
}

// wantWaiting demands whether a request is shown as one to decide about.
func (f *fixture) wantWaiting(id storage.DeviceID, want bool) {
	f.t.Helper()
	body, found, err := f.s.Device(f.ctx(), id)
	NoError(f.t, err)
	if found != want || bytes.Equal(body, deviceBody) != want {
		f.t.Fatalf("Device: found %t with body %q, want %t", found, body, want)
	}
}

func deviceApproved(t *testing.T, f *fixture) {
	r := f.putDevice()
	f.wantWaiting(r.ID, true)
	if state := f.poll(f.devicePoll(r), storage.DevicePending); state.Interval != r.Interval || state.User != (storage.UserTag{}) || state.Body != nil {
		t.Errorf("a waiting device is told %+v", state)
	}
	f.decideDevice(f.decision(r, true), true)
	f.wantWaiting(r.ID, false)
	for range 2 { // the code is what works once
		if state := f.poll(f.devicePoll(r), storage.DeviceApproved); state.User != f.user || !bytes.Equal(state.Body, deviceBody) {
			t.Errorf("approved by %v with body %q, want %v", state.User, state.Body, f.user)
		}
	}
	f.decideDevice(f.decision(r, true), false)
	f.decideDevice(f.decision(r, false), false)
	f.poll(f.devicePoll(r), storage.DeviceApproved)
}

func deviceDenied(_ *testing.T, f *fixture) {
	r := f.putDevice()
	f.decideDevice(f.decision(r, false), true)
	f.wantWaiting(r.ID, false)
	f.poll(f.devicePoll(r), storage.DeviceDenied)
	f.decideDevice(f.decision(r, true), false)
	f.poll(f.devicePoll(r), storage.DeviceDenied)
}

func deviceSlowsDown(t *testing.T, f *fixture) {
	f.needClock()
	r := f.putDevice()
	for _, step := range []struct {
		after    time.Duration
		outcome  storage.DeviceOutcome
		interval time.Duration
	}{
		{0, storage.DevicePending, 5 * time.Second},
		{4 * time.Second, storage.DevicePending, 5 * time.Second}, // the slack
		{3999 * time.Millisecond, storage.DeviceTooFast, 10 * time.Second},
		{5 * time.Second, storage.DeviceTooFast, 12 * time.Second}, // the most
		{0, storage.DeviceTooFast, 12 * time.Second},
		{12 * time.Second, storage.DevicePending, 12 * time.Second},
	} {
		f.pass(step.after)
		if state := f.poll(f.devicePoll(r), step.outcome); state.Interval != step.interval {
			t.Errorf("interval %s, want %s", state.Interval, step.interval)
		}
	}
	f.decideDevice(f.decision(r, true), true)
	f.poll(f.devicePoll(r), storage.DeviceApproved) // however soon
}

func deviceAgain(t *testing.T, f *fixture) {
	r := f.putDevice()
	if kept := Must(f.s.PutDevice(f.ctx(), r))(t); !kept {
		t.Error("PutDevice: the same call sent again was refused")
	}
	first := f.devicePoll(r)
	f.poll(first, storage.DevicePending)
	f.poll(first, storage.DevicePending)
	second := f.devicePoll(r)
	for range 2 {
		if state := f.poll(second, storage.DeviceTooFast); state.Interval != 10*time.Second {
			t.Errorf("interval %s, want 10s", state.Interval)
		}
	}
	d := f.decision(r, true)
	f.decideDevice(d, true)
	f.decideDevice(d, true)
	f.poll(second, storage.DeviceApproved)
}

func deviceUnknown(_ *testing.T, f *fixture) {
	r, other := f.putDevice(), f.putDevice()
	f.wantWaiting(random[storage.DeviceID](), false)
	r.Code = other.Code
	f.poll(f.devicePoll(r), storage.DeviceUnknown)
	f.decideDevice(f.decision(r, true), false)
	r.ID = random[storage.DeviceID]()
	f.poll(f.devicePoll(r), storage.DeviceUnknown)
	f.decideDevice(f.decision(r, true), false)
	f.poll(f.devicePoll(other), storage.DevicePending)
}

func deviceInUse(t *testing.T, f *fixture) {
	first := f.putDevice()
	second := first
	second.Code, second.Body = random[storage.CodeID](), []byte("another")
	if kept := Must(f.s.PutDevice(f.ctx(), second))(t); kept {
		t.Error("PutDevice: a user code in use was given away again")
	}
	f.wantWaiting(first.ID, true)
	f.poll(f.devicePoll(first), storage.DevicePending)
	f.poll(f.devicePoll(second), storage.DeviceUnknown)
}

func deviceExpires(_ *testing.T, f *fixture) {
	brief := func(r *storage.DevicePut) { r.Lifetime = time.Second }
	r, denied := f.putDevice(brief), f.putDevice(brief)
	f.decideDevice(f.decision(denied, false), true)
	f.pass(1100 * time.Millisecond)
	f.wantWaiting(r.ID, false)
	f.poll(f.devicePoll(r), storage.DeviceUnknown)
	f.poll(f.devicePoll(denied), storage.DeviceUnknown)
	f.decideDevice(f.decision(r, true), false)
	f.putDevice(func(again *storage.DevicePut) { again.ID = r.ID }) // the user code is free again
}

func deviceApprovedLate(_ *testing.T, f *fixture) {
	r := f.putDevice(func(r *storage.DevicePut) { r.Lifetime = time.Second })
	d := f.decision(r, true)
	d.Grace = 3 * time.Second
	f.decideDevice(d, true)
	f.pass(1100 * time.Millisecond)
	f.poll(f.devicePoll(r), storage.DeviceApproved)
	f.pass(2 * time.Second)
	f.poll(f.devicePoll(r), storage.DeviceUnknown)
}

func deviceDecidedOnce(t *testing.T, f *fixture) {
	r := f.putDevice()
	var decided, approved atomic.Int32
	Concurrently(100, func(i int) {
		d := f.decision(r, i%2 == 0)
		switch ok, err := f.s.DecideDevice(f.ctx(), d); {
		case err != nil:
			t.Errorf("DecideDevice: %v", err)
		case ok:
			decided.Add(1)
			if d.Approved {
				approved.Add(1)
			}
		}
	})
	if decided.Load() != 1 {
		t.Fatalf("%d of 100 have decided, want 1", decided.Load())
	}
	want := storage.DeviceDenied
	if approved.Load() == 1 {
		want = storage.DeviceApproved
	}
	f.poll(f.devicePoll(r), want)
}

// deviceCodeOutlives: a code that begins a session of its own is good after the
// session that it was issued in has ended, and not after a sign-out everywhere.
func deviceCodeOutlives(t *testing.T, f *fixture) {
	put := func() storage.CodeID {
		r := storage.PutRequest{
			User: f.user, ID: random[storage.CodeID](), Session: f.session.ID, Begins: random8[storage.SessionID](),
			Body: codeBody, Lifetime: time.Minute,
		}
		if kept := Must(f.s.PutCode(f.ctx(), r))(t); kept != storage.PutKept {
			t.Fatal("PutCode: a live session got no code")
		}
		return r.ID
	}
	id, late := put(), put()
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: f.session.ID})
	f.take(id, storage.CodeTaken)
	f.end(storage.EndRequest{Scope: storage.EndUser})
	f.take(late, storage.CodeUnknown)
	f.session = f.login()
	r := storage.PutRequest{
		User: f.user, ID: random[storage.CodeID](), Session: f.session.ID, Begins: random8[storage.SessionID](), Body: codeBody, Lifetime: time.Minute,
	}
	Must(f.s.PutCode(f.ctx(), r))(t)
	f.end(storage.EndRequest{Scope: storage.EndSession, Session: r.Begins})
	f.take(r.ID, storage.CodeUnknown)
}

func deviceReopen(_ *testing.T, f *fixture) {
	waiting, approved := f.putDevice(), f.putDevice()
	poll := f.devicePoll(waiting)
	f.poll(poll, storage.DevicePending)
	f.decideDevice(f.decision(approved, true), true)
	f.reopen()
	f.poll(poll, storage.DevicePending)
	f.poll(f.devicePoll(waiting), storage.DeviceTooFast)
	f.poll(f.devicePoll(approved), storage.DeviceApproved)
}
