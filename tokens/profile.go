package tokens

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Profile is what the gateway knows about a person, kept in the store.
type Profile struct {
	Subject     string              `json:"sub"`              // "<login>|<id>"
	Login       string              `json:"login"`            // the name of the login module; always that of the subject
	ACR         string              `json:"acr,omitempty"`    // how the person proved who they are; SignIn keeps it with the session
	Claims      map[string]any      `json:"claims,omitempty"` // name, nickname, email, email_verified, picture …
	UpdatedAt   time.Time           `json:"updated_at"`       // seconds
	Fingerprint storage.Fingerprint `json:"fingerprint,omitzero"`
}

// profileVersion is in the low half of a record's first byte. Records of the
// first form are JSON and begin with a brace.
const profileVersion = 1

// profileFingerprint is added to it where a fingerprint follows.
const profileFingerprint = 16

// MarshalBinary encodes the record. Each person costs it once in the memory of
// Redis, so it spells out nothing: version 1, updated 4 (seconds, big-endian),
// fingerprint 8 (if any), ACR and subject, each after its length as a varint,
// and the claims as JSON where there are any. The login is the subject's.
func (p Profile) MarshalBinary() ([]byte, error) {
	b := []byte{profileVersion}
	b = storage.AppendSeconds(b, p.UpdatedAt)
	if p.Fingerprint != (storage.Fingerprint{}) {
		b[0] += profileFingerprint
		b = append(b, p.Fingerprint[:]...)
	}
	for _, text := range []string{p.ACR, p.Subject} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	if len(p.Claims) == 0 {
		return b, nil
	}
	claims, err := json.Marshal(p.Claims)
	if err != nil {
		return nil, fmt.Errorf("encoding profile: %w", err)
	}
	return append(b, claims...), nil
}

// MaxProfile is how long the record of a person may be, in bytes. Every refresh reads it.
const MaxProfile = 4 << 10

var errLongProfile = fmt.Errorf("keeping profile: the person's claims take more than %d bytes: let the login return fewer or shorter ones", MaxProfile)

var errBadProfile = errors.New("reading profile: damaged")

// UnmarshalBinary reads what MarshalBinary wrote, or the JSON that was written before.
func (p *Profile) UnmarshalBinary(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, p); err != nil {
			return fmt.Errorf("reading profile: %w", err)
		}
		return nil
	}
	switch {
	case len(b) > 0 && b[0]%16 != profileVersion || len(b) > 0 && b[0] > profileVersion+profileFingerprint:
		return errors.New("reading profile: written by a newer version of Gatehouse; upgrade this node")
	case len(b) < 5:
		return errBadProfile
	}
	*p = Profile{UpdatedAt: storage.ReadSeconds(b[1:])}
	marked, rest := b[0] > profileVersion, b[5:]
	if marked {
		if len(rest) < len(p.Fingerprint) {
			return errBadProfile
		}
		rest = rest[copy(p.Fingerprint[:], rest):]
	}
	for _, text := range []*string{&p.ACR, &p.Subject} {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return errBadProfile
		}
		*text, rest = string(rest[size:size+int(n)]), rest[size+int(n):]
	}
	p.Login, _, _ = strings.Cut(p.Subject, "|")
	if len(rest) > 0 {
		if err := json.Unmarshal(rest, &p.Claims); err != nil {
			return fmt.Errorf("reading profile: %w", err)
		}
	}
	return nil
}

func parseProfile(record []byte) (*Profile, error) {
	p := new(Profile)
	if err := p.UnmarshalBinary(record); err != nil {
		return nil, err
	}
	return p, nil
}

// SubjectOf returns the subject of a profile, "" if it cannot be read.
func SubjectOf(profile []byte) string {
	if profile == nil {
		return ""
	}
	p, err := parseProfile(profile)
	if err != nil {
		return ""
	}
	return p.Subject
}

// timeOrZero reads what unixOrZero wrote.
func timeOrZero(seconds int64) (t time.Time) {
	if seconds != 0 {
		t = time.Unix(seconds, 0)
	}
	return t
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// MachineSubject returns the subject of a client that acts for itself. It
// cannot be a person's, since a person's has a "|" and a client_id has none.
func MachineSubject(clientID string) string { return clientID + "@clients" }
