package storage

import "time"

// The bounds of what a Store keeps of one user: no call does work that grows with
// what somebody has done before. The bound of a denylist is MaxDenials.

// MaxFamilies is how many families a user has at most, over all clients: what a
// decision may have to read must not grow with what somebody has done before.
const MaxFamilies = 500

// MaxSessions is how many sessions a user has at most. One more ends the one that
// was not used for the longest time, and puts it into the Outbox; the families begun in it go on.
const MaxSessions = 50

// MaxAMR is how long Session.AMR may be, in bytes.
const MaxAMR = 32

// MaxFingerprints is how many fingerprints a user may have: one for each login that
// is configured.
const MaxFingerprints = 16

// How many codes a user may have. Beyond that the oldest go, never the newest: an
// attacker who makes a person's browser ask for codes without end must not keep the
// person from the one that is redeemed within the second.
const (
	MaxCodes      = 128 // good and spent ones
	MaxCodeBodies = 64  // good ones, and spent ones whose body a call that is sent again may need
)

// MostAhead is how far ahead of its clock a store dates anything. Each sign-out
// of a user moves the next login a second ahead, and the end of a client has to
// reach all that is dated: so signing in and out in a loop must not move it any
// farther. A user's own sign-outs move a date a second less than this,
// so that there is room for a login after the end of a client. A user who signs
// out more often than that gets a login that is over at once.
const MostAhead = 3 * time.Second

// DefaultMaxLag is how old a verdict of the denylist may be unless configured.
const DefaultMaxLag = 10 * time.Second
