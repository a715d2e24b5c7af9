package storage

import (
	"encoding/binary"
	"errors"
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

// LoginAfter reports whether the login that a family came from was after a time.
// The family knows only its own beginning and what the tokens say: neither is
// earlier, or later, than the login, so that an end reaches too much rather than
// too little.
func (f Family) LoginAfter(t time.Time) bool {
	return f.Created.After(t) && (f.AuthTime.IsZero() || f.AuthTime.After(t))
}

// Ends returns when a family ends unless it is used before; zero for never.
func (f Family) Ends() time.Time { return Earlier(f.Expires, f.IdleExpires) }
