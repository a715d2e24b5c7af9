package storage

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// Profile is who a user is, as of the last login. The zero value stands for a user of
// whom a store knows nothing.
type Profile struct {
	Subject     string
	Fingerprint Fingerprint // Rotate compares it; another one at a login ends all that was before
	// Before is the fingerprint that the last login has replaced, as long as that is held
	// (SessionRequest.Hold); zero for none. A configuration that has it is behind: not
	// the user has changed, but the node is not told yet. See Fits.
	Before Fingerprint
	Person Person
}

// Fits reports whether a configuration that gives the user these fingerprints knows the user
// as the last login did, or as the one before it did while that is held.
func (p Profile) Fits(configured []Fingerprint) bool {
	return slices.Contains(configured, p.Fingerprint) || p.Before != (Fingerprint{}) && slices.Contains(configured, p.Before)
}

// Person is what is known of a user beyond the subject: facts of a moment, which a
// login or a recheck brings. Newer ones win, whatever the order in which they
// are written.
type Person struct {
	// AsOf is when the facts were asked for, by the store's clock, in
	// milliseconds. Zero in a SessionRequest for now.
	AsOf    time.Time
	Checked time.Time  // when the login's provider last said so, in seconds; zero where there is none to be asked
	Groups  []GroupTag // sorted, each once; at most MaxGroups
	Claims  []byte     // a JSON object, nil for none; the caller bounds it
}

// Nothing reports whether there is nothing to keep.
func (p Person) Nothing() bool { return p.Checked.IsZero() && len(p.Groups)+len(p.Claims) == 0 }

const (
	personVersion = 1
	personSize    = 12 // without groups and claims
)

// MarshalBinary encodes the record, which is empty where there is Nothing to keep.
// Layout, big-endian: version 1, as of 6 (ms), checked 4 (s), number of groups 1,
// groups 8 each, claims.
func (p Person) MarshalBinary() ([]byte, error) {
	switch {
	case p.Nothing():
		return nil, nil
	case len(p.Groups) > MaxGroups:
		return nil, errors.New("writing a person's record: too many groups")
	}
	b := make([]byte, 0, personSize+8*len(p.Groups)+len(p.Claims))
	b = append(b, personVersion)
	b = AppendMillis6(b, p.AsOf)
	b = AppendSeconds(b, p.Checked)
	b = append(b, byte(len(p.Groups)))
	for _, g := range p.Groups {
		b = append(b, g[:]...)
	}
	return append(b, p.Claims...), nil
}

// UnmarshalBinary reads what MarshalBinary wrote, and keeps none of b. A record of
// another version is an error.
func (p *Person) UnmarshalBinary(b []byte) error {
	*p = Person{}
	switch {
	case len(b) == 0:
		return nil
	case b[0] != personVersion:
		return errors.New("reading a person's record: written by a newer version of Gatehouse; upgrade this node")
	case len(b) < personSize || len(b) < personSize+8*int(b[11]):
		return errors.New("reading a person's record: damaged")
	}
	p.AsOf, p.Checked = ReadMillis6(b[1:]), ReadSeconds(b[7:])
	claims := b[personSize:]
	for range b[11] {
		p.Groups, claims = append(p.Groups, GroupTag(claims[:8])), claims[8:]
	}
	if len(claims) > 0 {
		p.Claims = bytes.Clone(claims)
	}
	return nil
}
