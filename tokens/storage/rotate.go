package storage

import (
	"slices"
	"time"
)

// RotateRequest presents one generation of one family.
type RotateRequest struct {
	User         UserTag
	Family       FamilyID
	Client       ClientTag
	Grant        GrantID
	Presented    uint32        // at least 1
	Rotation     bool          // false for a client that keeps its refresh token
	Unused       bool          // without Rotation: it is asked about and not used, and nothing is written
	Leeway       time.Duration // 0 is strict
	Spare        bool          // a reuse is refused, and ends nothing
	Settle       time.Duration // a current generation younger than this stays as it is; 0 always rotates
	Lifetime     time.Duration // as configured now; 0 for none
	IdleLifetime time.Duration // as configured now; 0 for none
	BegunAfter   time.Time     // the client's watermark: a family begun at or before it is ended
	Fingerprints []Fingerprint // that the user may have as configured now, MaxFingerprints at most; the profile has to fit (Profile.Fits)
	Groups       AllOf         // that the person must be in; nil for no such rule
	DenyFor      time.Duration // how long access tokens are denied on reuse
	Attempt      Attempt
}

// RotateResult is the answer to a RotateRequest.
type RotateResult struct {
	Outcome RotateOutcome
	Family  Family    // as it stands after the call, where it lives
	Profile Profile   // the user's, where the outcome is a 200
	IssueAt time.Time // as CreateResult.IssueAt
}

// RotateOutcome is what the store decided about a presented refresh token.
type RotateOutcome uint8

// The rows of the decision table.
const (
	// RotateUnknown: no such family, or one that was ended.
	RotateUnknown RotateOutcome = iota
	// Rotated: the current generation was presented; the next one is current now.
	Rotated
	// RotateReplayed: the predecessor was presented within the leeway; the
	// current generation is the answer again.
	RotateReplayed
	// RotateKept: a client without rotation presented the current generation, which stays.
	RotateKept
	// RotateHealed: a generation newer than the store's was presented, so the
	// store has lost a write; it was moved forward.
	RotateHealed
	// RotateReused: an old generation was presented; the family is ended and
	// its access tokens are denied.
	RotateReused
	// RotateExpired: the family has reached its absolute or idle end.
	RotateExpired
	// RotateUserChanged: the user was removed or disabled, or has none of the fingerprints.
	RotateUserChanged
	// RotateMismatch: the record belongs to another client or grant than the token says.
	RotateMismatch
	// RotateYoung: the current generation was presented before it was Settle
	// old; it is the answer again, and nothing is written.
	RotateYoung
	// RotateNotAllowed: it would be answered with tokens, and the person is not in the
	// groups of the request (any more). Nothing is written: once they are again, the same
	// refresh token is good.
	RotateNotAllowed
	// RotateSpared: as RotateReused, for a request that says so (Spare). Nothing is written, and the
	// current generation is good.
	RotateSpared
)

// Granted reports whether the outcome is answered with tokens.
func (o RotateOutcome) Granted() bool {
	switch o {
	case Rotated, RotateReplayed, RotateKept, RotateHealed, RotateYoung:
		return true
	default:
		return false
	}
}

// Decide is the decision table of refresh token rotation. It returns what
// becomes of family f, and the record to write when the outcome is Rotated,
// RotateKept or RotateHealed. A store calls it inside its transaction; the
// Redis store says the same in Lua and a parity test holds the two together.
//
//	presented, where n is current    answer
//	n                                rotate to n+1
//	n-1, by the attempt of n         that n: the call was sent twice
//	n-1, n was never answered        n again, as if it were made now
//	n-1, n is younger than Leeway    n again; repeats do not extend the leeway
//	n-1, n was made in a Silence     n again, as if it were made now
//	n-1 otherwise, or older          reuse, or with Spare a refusal
//	n, without Rotation              n stays, and its idle end moves unless it is Unused
//	n+1 or later                     the store has lost a write: Presented+1
//
// So a rotation that nobody was told of counts as one that has not happened: a
// client that was told to come again, or heard nothing, holds n-1 and gets n by a
// rotation of its own, from which the leeway counts. If a thief holds n-1 as well,
// the next one to present it reveals the theft, as after any other rotation.
//
// The caller has already checked that the family exists and who the user is. Whatever the
// table answers with tokens, it does for a person who is in the groups of the request.
// See RFC 9700 §4.14.2.
func Decide(f Family, groups []GroupTag, r RotateRequest, now time.Time, silent ...Silence) (RotateOutcome, Family) {
	f = f.Limited(r.Lifetime, r.IdleLifetime)
	outcome, next := f.decide(r, now, silent)
	if outcome.Granted() && !r.Groups.Allow(groups) {
		return RotateNotAllowed, f
	}
	if outcome == RotateReused && r.Spare {
		return RotateSpared, f
	}
	return outcome, next
}

// decide is the table.
func (f Family) decide(r RotateRequest, now time.Time, silent []Silence) (RotateOutcome, Family) {
	before := r.Presented // the generation that the answer follows
	if !r.Rotation {
		before--
	}
	switch {
	case f.Client != r.Client || f.Grant != r.Grant:
		return RotateMismatch, f
	case !f.Created.After(r.BegunAfter):
		return RotateUnknown, f
	case f.Dead(now):
		return RotateExpired, f
	case r.Presented > f.Generation:
		return RotateHealed, f.advance(r, before, now)
	case r.Presented == f.Generation && !r.Rotation && r.Unused:
		return RotateKept, f
	case r.Presented == f.Generation && !r.Rotation:
		return RotateKept, f.advance(r, before, now)
	case f.young(r, now):
		return RotateYoung, f
	case r.Presented == f.Generation:
		return Rotated, f.advance(r, before, now)
	case r.Presented+1 == f.Generation:
		return f.decidePredecessor(r, now, silent)
	default:
		return RotateReused, f
	}
}

// decidePredecessor is the part of the table for a client that presents n-1.
func (f Family) decidePredecessor(r RotateRequest, now time.Time, silent []Silence) (RotateOutcome, Family) {
	switch {
	case f.Attempt == r.Attempt:
		return Rotated, f // the same call sent again after a lost reply
	case f.Attempt == unanswered:
		return f.answerAnew(r, now)
	case f.Attempt != Attempt{} && Within(now.Sub(f.Rotated), r.Leeway):
		return RotateReplayed, f
	case slices.ContainsFunc(silent, f.madeIn):
		return f.answerAnew(r, now)
	default:
		return RotateReused, f
	}
}

// answerAnew makes the current generation again, of which nobody was told. A
// client that does not rotate any more just gets it.
func (f Family) answerAnew(r RotateRequest, now time.Time) (RotateOutcome, Family) {
	if !r.Rotation {
		return RotateReplayed, f
	}
	return Rotated, f.advance(r, r.Presented, now)
}

// young reports whether the current generation was presented before it was
// Settle old. No attempt marks a use without rotation, which has no such age.
func (f Family) young(r RotateRequest, now time.Time) bool {
	return r.Presented == f.Generation && f.Attempt != Attempt{} && Within(now.Sub(f.Rotated), r.Settle)
}

// Within reports whether a rotation is younger than the leeway. After a clock
// was set back it may lie ahead: as far as the leeway, and no further.
func Within(age, leeway time.Duration) bool { return age < leeway && age > -leeway }

// advance makes the generation after before the current one.
func (f Family) advance(r RotateRequest, before uint32, now time.Time) Family {
	f.Generation = before + 1
	f.Rotated = now.Truncate(time.Millisecond)
	f.Attempt = r.Attempt
	if !r.Rotation {
		// Rotated is the last use now, no longer the moment the generation was
		// made. No attempt marks that: else each use would open the leeway of
		// the predecessor again.
		f.Attempt = Attempt{}
	}
	f.IdleExpires = EndOf(now, r.IdleLifetime)
	return f
}
