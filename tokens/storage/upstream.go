package storage

import (
	"context"
	"time"
)

// Upstreams keeps what the provider of a login gave, so that it can be asked again whether
// the person is still who they were. It belongs to the root of the login's sessions, ends
// with that, and is kept for KeepUpstream after it was last asked. No rotation reads it.
type Upstreams interface {
	// BeginRecheck leases the one check of a root for all nodes. Nothing is leased where
	// no provider gave anything, where it was checked less than Every ago or asked less
	// than a tenth of that ago, and while another attempt has the lease. The same
	// Attempt gets its lease again.
	BeginRecheck(ctx context.Context, r RecheckRequest) (RecheckLease, error)
	// EndRecheck writes what the provider has answered, under the lease of the Attempt
	// and the number that it was given, and nothing without them: RecheckLost. The same
	// Attempt gets the same answer again.
	EndRecheck(ctx context.Context, r RecheckAnswer) (RecheckResult, error)
}

// The bounds of what is kept of providers.
const (
	// MaxUpstreams is how many roots of a user have something of a provider. One more
	// drops the one that was not asked for the longest time.
	MaxUpstreams = 10
	// MaxSealed is how long that may be for each, sealed, in bytes; the caller sees to it.
	MaxSealed = 4 << 10
	// KeepUpstream is for how long it is kept when nobody asks.
	KeepUpstream = 90 * 24 * time.Hour
)

// RecheckRequest asks for the check of a login.
type RecheckRequest struct {
	User    UserTag
	Root    SessionID
	Every   time.Duration // how long an answer of the provider's counts
	Lease   time.Duration // how long the check may take
	Attempt Attempt       // must not be zero
}

// RecheckLease is the answer to a RecheckRequest.
type RecheckLease struct {
	Leased bool
	Busy   bool   // not leased, since another attempt has it
	Lately bool   // not leased, since it was checked, or asked, lately enough
	Thin   bool   // Lately: the last answer was ProviderThin
	Seq    uint32 // the number of Sealed: 1 at the login, and one more with each that an EndRecheck has brought
	// Session is the one that began with the login. It and Seq tell one Sealed from another.
	Session SessionID
	Sealed  []byte
	Asked   time.Time // when the lease began, milliseconds: the facts of the answer are as of then
	// Doubtful is set when a check before this one never ended: the provider may have
	// taken Sealed already and given another for it.
	Doubtful bool
}

// ProviderAnswer is what a provider has said about a login.
type ProviderAnswer uint8

// The answers of providers.
const (
	ProviderKept    ProviderAnswer = iota + 1 // the login is good, and this is what is known of the person
	ProviderGone                              // the login is over
	ProviderUnclear                           // it has not said
	ProviderThin                              // the login is good, and nothing new is known of the person, who counts as not checked
	ProviderLost                              // it has not said, or its answer was lost: it may have taken what it was asked with
)

// RecheckAnswer tells what a provider has answered.
type RecheckAnswer struct {
	User    UserTag
	Root    SessionID
	Seq     uint32 // of the lease
	Attempt Attempt
	Answer  ProviderAnswer
	Sealed  []byte        // ProviderKept, ProviderThin: what it gave in the place of that with Seq, sealed for Seq+1; nil to keep it
	Person  Person        // ProviderKept; AsOf is the lease's and Checked is now
	DenyFor time.Duration // how long access tokens are denied that ProviderGone ends
}

// RecheckOutcome is what became of an answer.
type RecheckOutcome uint8

// The outcomes of EndRecheck.
const (
	RecheckLost     RecheckOutcome = iota // another attempt has the lease, or the login is over; nothing is written
	RecheckWritten                        // ProviderKept, ProviderThin; of the person, unless newer facts are there
	RecheckReleased                       // ProviderUnclear, ProviderLost
	RecheckEnded                          // ProviderGone: the root is ended, as by EndSession
	// RecheckDropped: ProviderGone under a Doubtful lease. Nothing has ended; the login
	// can be asked about no more.
	RecheckDropped
)

// RecheckResult is the answer to a RecheckAnswer.
type RecheckResult struct {
	Outcome RecheckOutcome
	Ended   EndResult // RecheckEnded
}

// UpstreamsRecord is what providers gave at a user's logins.
type UpstreamsRecord struct {
	User   UserTag
	Logins []UpstreamEntry
}

// UpstreamEntry is what one of them gave.
type UpstreamEntry struct {
	Root     SessionID
	Session  SessionID // RecheckLease.Session
	Seq      uint32
	Asked    time.Time // milliseconds
	Checked  time.Time // milliseconds
	Doubtful bool      // a check never ended, or is under way
	Sealed   []byte
}
