package storage

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// A Family is one login of one user at one client: the chain of refresh tokens
// of which only the newest generation counts. However often it rotates it
// stays one record of familySize bytes.
type Family struct {
	ID          FamilyID
	Client      ClientTag
	Grant       GrantID
	Session     SessionID
	Generation  uint32    // the current one; the first token of a family is generation 1
	Created     time.Time // seconds
	AuthTime    time.Time // seconds; when the person proved who they are, for the tokens alone; zero where that is not known
	Expires     time.Time // seconds; the absolute end, zero for none. Rotation never moves it
	IdleExpires time.Time // seconds; the end unless it is used before, zero for none
	Rotated     time.Time // milliseconds; when Generation was made
	// Attempt is the one that made Generation: zero once it was used without
	// rotation, unanswered once it is known that nobody has got Generation by it.
	Attempt Attempt
}

// familySize is the length of an encoded record. Redis keeps a hash compact
// (a listpack) while no value is longer than 64 bytes.
const familySize = 63

const familyVersion = 1

// MarshalBinary encodes the record; the ID is its key and is left out. Layout,
// big-endian: version 1, client 8, grant 12, session 8, generation 4, created
// 4, auth time 4, expires 4, idle end 4, rotated 6 (ms), attempt 8.
func (f Family) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, familySize)
	b = append(b, familyVersion)
	b = append(b, f.Client[:]...)
	b = append(b, f.Grant[:]...)
	b = append(b, f.Session[:]...)
	b = binary.BigEndian.AppendUint32(b, f.Generation)
	b = AppendSeconds(b, f.Created)
	b = AppendSeconds(b, f.AuthTime)
	b = AppendSeconds(b, f.Expires)
	b = AppendSeconds(b, f.IdleExpires)
	b = AppendMillis6(b, f.Rotated)
	return append(b, f.Attempt[:]...), nil
}

// UnmarshalBinary reads what MarshalBinary wrote. A record of another version
// is an error: an older program must not guess at a newer record.
func (f *Family) UnmarshalBinary(b []byte) error {
	if len(b) != familySize {
		return errors.New("reading family record: wrong length")
	}
	if b[0] != familyVersion {
		return errors.New("reading family record: written by a newer version of Gatehouse; upgrade this node")
	}
	f.Client = ClientTag(b[1:9])
	f.Grant = GrantID(b[9:21])
	f.Session = SessionID(b[21:29])
	f.Generation = binary.BigEndian.Uint32(b[29:33])
	f.Created = ReadSeconds(b[33:37])
	f.AuthTime = ReadSeconds(b[37:41])
	f.Expires = ReadSeconds(b[41:45])
	f.IdleExpires = ReadSeconds(b[45:49])
	f.Rotated = ReadMillis6(b[49:55])
	f.Attempt = Attempt(b[55:63])
	return nil
}

// Dead reports whether the family has reached its absolute or its idle end.
func (f Family) Dead(now time.Time) bool {
	return over(f.Expires, now) || over(f.IdleExpires, now)
}

func over(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

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
//	n-1 otherwise, or older          reuse
//	n+1 or later                     the store has lost a write: Presented+1
//
// So a rotation that nobody was told of counts as one that has not happened: a
// client that was told to come again, or heard nothing, holds n-1 and gets n by a
// rotation of its own, from which the leeway counts. If a thief holds n-1 as well,
// the next one to present it reveals the theft, as after any other rotation.
//
// The caller has already checked that the family exists and who the user is.
// See RFC 9700 §4.14.2.
func Decide(f Family, r RotateRequest, now time.Time, silent ...Silence) (RotateOutcome, Family) {
	f = f.Limited(r.Lifetime, r.IdleLifetime)
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

// Begin returns the record of a new family: its first generation, made at now
// (the store's time) and dated issueAt.
func Begin(r CreateRequest, now, issueAt time.Time) Family {
	created := issueAt.Truncate(time.Second)
	return Family{
		ID:          r.ID,
		Client:      r.Client,
		Grant:       r.Grant,
		Session:     r.Session,
		Generation:  1,
		Created:     created,
		AuthTime:    r.AuthTime.Truncate(time.Second),
		Expires:     EndOf(created, r.Lifetime),
		IdleExpires: EndOf(now, r.IdleLifetime),
		Rotated:     now.Truncate(time.Millisecond),
		Attempt:     r.Attempt,
	}
}

// Limited applies lifetimes (0 for none) that the configuration has shortened
// since the family was written. A longer one never revives or extends it.
func (f Family) Limited(lifetime, idleLifetime time.Duration) Family {
	f.Expires = Earlier(f.Expires, EndOf(f.Created, lifetime))
	f.IdleExpires = Earlier(f.IdleExpires, EndOf(f.Rotated, idleLifetime))
	return f
}

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

// EndOf returns start plus a lifetime, rounded up to seconds, or zero for no end.
func EndOf(start time.Time, lifetime time.Duration) time.Time {
	if lifetime <= 0 {
		return time.Time{}
	}
	return start.Add(lifetime + time.Second - 1).Truncate(time.Second)
}

// Earlier returns the earlier of two ends. The zero time means no end.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// AppendSeconds appends a time to a record: the seconds since 1970, big-endian in 4
// bytes, and 0 for the zero time.
func AppendSeconds(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint32(b, uint32(t.Unix())) // until 2106
}

// ReadSeconds reads what AppendSeconds wrote. It needs 4 bytes, and returns the
// zero time for 0.
func ReadSeconds(b []byte) time.Time {
	s := binary.BigEndian.Uint32(b)
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0)
}

// LoginAfter reports whether the login that a family came from was after a time.
// The family knows only its own beginning and what the tokens say: neither is
// earlier, or later, than the login, so that an end reaches too much rather than
// too little.
func (f Family) LoginAfter(t time.Time) bool {
	return f.Created.After(t) && (f.AuthTime.IsZero() || f.AuthTime.After(t))
}

// Ends returns when a family ends unless it is used before; zero for never.
func (f Family) Ends() time.Time { return Earlier(f.Expires, f.IdleExpires) }

// Later returns the later of two times, the zero time being earlier than any other.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
