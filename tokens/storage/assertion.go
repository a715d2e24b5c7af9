package storage

import (
	"context"
	"time"
)

// Assertions remembers which assertions of clients were used, so that none
// authenticates twice. See RFC 7523 §3 number 7.
type Assertions interface {
	// UseAssertion uses up an assertion: of any number of calls, on any number
	// of nodes, one gets AssertionFirst. It is remembered until Until by the
	// store's clock, and from then on is AssertionOver by the same clock: so it
	// cannot come back on a node whose own clock is slow. The same Attempt gets
	// the same answer again.
	UseAssertion(ctx context.Context, r AssertionRequest) (AssertionOutcome, error)
}

// AssertionRequest presents an assertion whose signature and claims are good.
type AssertionRequest struct {
	ID      AssertionID
	Until   time.Time // its end and the clocks' leeway; milliseconds
	Attempt Attempt
}

// AssertionOutcome is what became of a presented assertion.
type AssertionOutcome uint8

// The outcomes of UseAssertion.
const (
	AssertionUsed  AssertionOutcome = iota // by an earlier call
	AssertionFirst                         // by this one
	AssertionOver                          // it has expired by the store's clock
)

// AssertionID is the hash of a client and the jti of its assertion. Two clients
// may use the same jti.
type AssertionID [16]byte

// AssertionIDOf names an assertion. A client_id has no control characters.
func AssertionIDOf(client, jti string) AssertionID {
	return AssertionID(Hash16("assertion", []byte(client+"\x00"+jti)))
}

// ParseAssertionID reads what String wrote.
func ParseAssertionID(s string) (AssertionID, bool) {
	id, ok := parse16(s)
	return AssertionID(id), ok
}

// String returns the ID as base64url, as it stands in key names.
func (a AssertionID) String() string { return Encode(a[:]) }
