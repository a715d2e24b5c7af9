// Package history records what the clients of a gateway did and what they saw,
// and checks afterwards that it is what Gatehouse promises, whatever broke
// meanwhile (Check).
//
// Why not a general checker of linearizability such as Porcupine: a refresh
// token names its place in the chain of its family, so the order in which the
// store decided can be read from the answers and needs no search; and most
// promises are about time (a revocation by when, a leeway until when) or about
// what may not be refused, which a register's model does not say. So this one
// is linear in the number of operations, and it names the operations that break
// a promise.
package history

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"
)

// Kind is what a client did.
type Kind string

// The kinds.
const (
	Login   Kind = "login"   // a person signed in and got a code
	Redeem  Kind = "redeem"  // a code for tokens
	Refresh Kind = "refresh" // a refresh token for tokens
	Call    Kind = "call"    // an access token at a guarded route
	Revoke  Kind = "revoke"  // a refresh token at the revocation endpoint
	SignOut Kind = "signout" // a logout
)

// Verdict is how an operation ended, as the client saw it.
type Verdict string

// The verdicts.
const (
	Done        Verdict = "done"        // the gateway did it
	Refused     Verdict = "refused"     // the gateway decided against it: invalid_grant, 401
	Unavailable Verdict = "unavailable" // 503 or 429: try again
	Busy        Verdict = "busy"        // the login page, asking to wait: too many passwords to compare at once
	Broken      Verdict = "broken"      // any other answer; never right
	Lost        Verdict = "lost"        // no answer: it was done or it was not
)

// Op is one operation.
type Op struct {
	Kind    Kind
	Verdict Verdict
	// Family names the login that it belongs to. Nobody else uses the name.
	Family string
	Node   string // that was asked
	// Presented is the code, refresh token or access token, by Name.
	Presented string
	// Refresh and Access are the tokens that were received, by Name.
	Refresh, Access string
	// Theft marks somebody who should not have the token: an honest client may
	// lose the login by it.
	Theft bool
	// Start and End are since the recording began.
	Start, End time.Duration
	// Detail is what the answer was, for people.
	Detail string
}

// String writes an operation in one line.
func (o Op) String() string {
	text := fmt.Sprintf("[%8.3fs-%8.3fs] %s at %s for %s: %s", o.Start.Seconds(), o.End.Seconds(), o.Kind, o.Node, o.Family, o.Verdict)
	if o.Theft {
		text += " (a thief)"
	}
	if o.Presented != "" {
		text += ", presented " + o.Presented
	}
	if o.Refresh != "" {
		text += ", got " + o.Refresh
	}
	if o.Detail != "" {
		text += ", " + o.Detail
	}
	return text
}

// Name is a short name of a token, by which a history can be shown.
func Name(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// Recorder collects operations of any number of clients.
type Recorder struct {
	begun time.Time

	mu  sync.Mutex
	ops []Op
}

// NewRecorder begins a recording.
func NewRecorder() *Recorder { return &Recorder{begun: time.Now()} }

// Now is the time since the recording began, on the monotonic clock.
func (r *Recorder) Now() time.Duration { return time.Since(r.begun) }

// Add records an operation that has ended.
func (r *Recorder) Add(o Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, o)
}

// Ops returns what was recorded so far.
func (r *Recorder) Ops() []Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Op(nil), r.ops...)
}

// Count is how many operations of a kind ended so.
func Count(ops []Op, kind Kind, verdict Verdict) (n int) {
	for _, o := range ops {
		if o.Kind == kind && o.Verdict == verdict {
			n++
		}
	}
	return n
}
