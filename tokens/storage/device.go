package storage

import (
	"context"
	"time"
)

// Devices keeps the requests of devices that have no browser, until a person
// has decided about them elsewhere. They belong to no user yet, so each is in a
// place of its own, by the hash of its user code. See RFC 8628.
type Devices interface {
	// PutDevice keeps a request until Now+Lifetime, and reports whether it did:
	// the user code may be in use. The same Code is kept once, however often it comes.
	PutDevice(ctx context.Context, r DevicePut) (kept bool, err error)
	// Device returns the body of a request that nobody has decided about; found
	// is false for any other.
	Device(ctx context.Context, id DeviceID) (body []byte, found bool, err error)
	// DecideDevice writes what a person has decided, and reports whether it did:
	// of any number of calls, on any number of nodes, one decides, and only
	// before the request has ended. An approved request then lives for Grace at
	// least, so that the device comes to ask. The same Attempt gets the same answer.
	DecideDevice(ctx context.Context, d DeviceDecision) (decided bool, err error)
	// PollDevice tells the device what became of its request. While it waits,
	// a poll that comes sooner than the interval after the one before makes the
	// interval longer by Step, up to Most. The same Attempt, when nothing was
	// decided meanwhile, gets the same answer.
	PollDevice(ctx context.Context, r DevicePoll) (DeviceState, error)
}

// DevicePut asks to keep a request.
type DevicePut struct {
	ID       DeviceID
	Code     CodeID        // of the code that the device will take when it is approved
	Interval time.Duration // whole seconds between two polls
	Lifetime time.Duration
	Body     []byte
}

// DeviceDecision is what a person decided.
type DeviceDecision struct {
	ID       DeviceID
	Code     CodeID // as put: what was shown to the person is what is decided
	User     UserTag
	Approved bool
	Grace    time.Duration
	Attempt  Attempt
}

// DevicePoll is a question of the device.
type DevicePoll struct {
	ID      DeviceID
	Code    CodeID        // as put; with another one the request is unknown
	Slack   time.Duration // how much sooner than the interval still counts as in time
	Step    time.Duration // whole seconds
	Most    time.Duration // whole seconds
	Attempt Attempt
}

// DeviceOutcome is what became of a device's request.
type DeviceOutcome uint8

// The outcomes of PollDevice.
const (
	DeviceUnknown  DeviceOutcome = iota // never put, or ended
	DevicePending                       // nobody has decided yet
	DeviceTooFast                       // neither, and the interval is longer from now on
	DeviceApproved                      // by State.User
	DeviceDenied
)

// DeviceState is the answer to a DevicePoll.
type DeviceState struct {
	Outcome  DeviceOutcome
	User     UserTag       // DeviceApproved
	Interval time.Duration // whole seconds
	Body     []byte        // DeviceApproved: as put
}
