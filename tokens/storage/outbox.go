package storage

import (
	"context"
	"time"
)

// Outbox keeps whom to tell that a session has ended. TakeCode notes the clients of a session
// that ask for it; what ends the session (End, CreateSession with another password, EndRecheck)
// makes logouts of the notes in the same step. A session that runs out makes none, and neither
// do watermarks. See OpenID Connect Back-Channel Logout §2.3.
//
// One node sends at a time. It takes what is due under a lease of its own, and says what became
// of it; what it does not say is due again when the lease is over.
type Outbox interface {
	// ExpectLogouts is called before an end that may write logouts: what the caller cannot
	// say any more is found all the same. With Written it is called after one that did.
	ExpectLogouts(ctx context.Context, r ExpectRequest) error
	// LeaseSender makes a node the one that sends for so long, or keeps it that, and
	// reports whether it is.
	LeaseSender(ctx context.Context, node NodeMark, lease time.Duration) (bool, error)
	// TakeLogouts leases logouts that are due, of MaxTaken users at most. What has waited for
	// KeepLogout is dropped, and counted. Who has waited for the longest time is first.
	// With an error come those that were taken all the same.
	TakeLogouts(ctx context.Context, r TakeLogouts) (TakenLogouts, error)
	// DoneLogout says what became of one that was taken. It does nothing when the lease
	// is another's meanwhile.
	DoneLogout(ctx context.Context, r DoneLogout) error
}

// The bounds of the Outbox.
const (
	MaxNoted   = 50             // sessions of a user with a note; the oldest goes
	MaxTold    = 14             // clients noted for a session; the oldest goes
	MaxLogouts = 64             // of a user, that wait; the oldest goes, and is counted
	KeepLogout = 24 * time.Hour // how long one waits
	MaxTaken   = 64             // users of one TakeLogouts
)

// ExpectRequest says that a user may have logouts to tell.
type ExpectRequest struct {
	User    UserTag
	Written bool // they are there
}

// ExpectedFor is how long after ExpectLogouts its end has been written for certain, or will
// never be.
const ExpectedFor = 30 * time.Second

// Logout is to be told to a client.
type Logout struct {
	User    UserTag
	Root    SessionID // the session that has ended, as ID tokens name it
	Client  ClientTag
	Subject string
	Since   time.Time // milliseconds
	Tries   int       // that have failed
}

// TakeLogouts asks for what is due.
type TakeLogouts struct {
	Lease   time.Duration
	Attempt Attempt
}

// TakenLogouts is the answer.
type TakenLogouts struct {
	Logouts []Logout
	Dropped int
}

// DoneLogout says what became of a Logout.
type DoneLogout struct {
	User    UserTag
	Root    SessionID
	Client  ClientTag
	Attempt Attempt       // of TakeLogouts
	After   time.Duration // when to try again; negative for never
	Tried   bool          // it counts as a try
}

// OutboxRecord is which clients are to be told when sessions of a user end, and of ends
// that they have still to be told of.
type OutboxRecord struct {
	User    UserTag
	Subject string
	Notes   []SessionNote
	Waiting []WaitingLogout
}

// SessionNote is the clients that have taken a code in a session, the newest last.
type SessionNote struct {
	Root      SessionID
	At, Until time.Time // seconds
	Clients   []ClientTag
}

// WaitingLogout is one that a client has still to be told of.
type WaitingLogout struct {
	Root   SessionID
	Client ClientTag
	Since  time.Time // milliseconds
	Due    time.Time // milliseconds
	Tries  int
}
