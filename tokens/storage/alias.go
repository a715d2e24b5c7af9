package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
)

// Aliases keeps whom an operator has said to be somebody else: people whom their provider
// now calls otherwise. They have no end, and are few.
type Aliases interface {
	// PutAlias writes an alias over one of the same From; one with no Subject takes that
	// back. Again, it changes nothing.
	PutAlias(ctx context.Context, a Alias) error
	// Alias returns the one whose From has this tag; zero for none.
	Alias(ctx context.Context, from UserTag) (Alias, error)
	// ListAliases returns all of them, in no order.
	ListAliases(ctx context.Context) ([]Alias, error)
}

// Alias says that who signs in as From is the person that Subject is: both are subjects,
// such as "company|00u1".
type Alias struct{ From, Subject string }

const aliasVersion = 1

// MarshalBinary encodes the alias. Layout, big-endian: version 1, length of From 2, From,
// Subject. It is an error where From is longer than that.
func (a *Alias) MarshalBinary() ([]byte, error) {
	if len(a.From) > math.MaxUint16 {
		return nil, errors.New("writing an alias: the subject is longer than 65535 bytes")
	}
	b := binary.BigEndian.AppendUint16([]byte{aliasVersion}, uint16(len(a.From)))
	return append(append(b, a.From...), a.Subject...), nil
}

// UnmarshalBinary decodes what MarshalBinary returned. It copies what it keeps.
func (a *Alias) UnmarshalBinary(b []byte) error {
	if len(b) > 0 && b[0] != aliasVersion {
		return errors.New("reading an alias: written by a newer version of Gatehouse; upgrade this node")
	}
	if len(b) < 3 {
		return errDamagedAlias
	}
	from, rest := int(binary.BigEndian.Uint16(b[1:])), b[3:]
	if from >= len(rest) {
		return errDamagedAlias
	}
	a.From, a.Subject = string(rest[:from]), string(rest[from:])
	return nil
}

var errDamagedAlias = errors.New("reading an alias: damaged")
