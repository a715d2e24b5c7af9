package storage

import (
	"context"
	"errors"
	"time"
)

// Index finds logins by the names that their provider has for them, which it says when it
// ends one: a session of its own (`sid`) or a person (`sub`). See OpenID Connect
// Back-Channel Logout §2.4.
type Index interface {
	// PutIndex notes a login under a name until Now+Lifetime, 0 for good. Of more than
	// MaxIndexed the oldest go; one that is there becomes the newest.
	PutIndex(ctx context.Context, r IndexRequest) error
	// FindIndex returns the logins under a name, the oldest first.
	FindIndex(ctx context.Context, key IndexKey) ([]Indexed, error)
}

// MaxIndexed is how many logins are found by one name.
const MaxIndexed = 50

// IndexKey is the hash of a login's name, the kind of a name and the name itself.
type IndexKey [16]byte

// String returns the key as base64url, as it stands in key names.
func (k IndexKey) String() string { return Encode(k[:]) }

// Indexed is a login that a name stands for.
type Indexed struct {
	User UserTag
	Root SessionID
}

// IndexRequest asks to note a login.
type IndexRequest struct {
	Key IndexKey
	Indexed
	Lifetime time.Duration
}

// IndexRecord is all that is noted under a name.
type IndexRecord struct {
	Key     IndexKey
	Entries []IndexEntry // the oldest first
}

// IndexEntry is one login under a name.
type IndexEntry struct {
	Indexed
	Until time.Time // seconds; zero for no end
}

const (
	indexVersion   = 1
	indexEntrySize = 28
)

// MarshalBinary encodes the record; the Key is left out. Layout, big-endian: version 1, and
// for each entry user 16, root 8, until 4.
func (r IndexRecord) MarshalBinary() ([]byte, error) {
	b := append(make([]byte, 0, 1+indexEntrySize*len(r.Entries)), indexVersion)
	for _, e := range r.Entries {
		b = append(append(b, e.User[:]...), e.Root[:]...)
		b = AppendSeconds(b, e.Until)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote. A record of another version is an error.
func (r *IndexRecord) UnmarshalBinary(b []byte) error {
	switch {
	case len(b) > 0 && b[0] != indexVersion:
		return errors.New("reading an index record: written by a newer version of Gatehouse; upgrade this node")
	case len(b)%indexEntrySize != 1:
		return errors.New("reading an index record: damaged")
	}
	r.Entries = make([]IndexEntry, 0, len(b)/indexEntrySize)
	for b = b[1:]; len(b) > 0; b = b[indexEntrySize:] {
		r.Entries = append(r.Entries, IndexEntry{Indexed{UserTag(b[:16]), SessionID(b[16:24])}, ReadSeconds(b[24:])})
	}
	return nil
}

// Live leaves out what has ended.
func (r IndexRecord) Live(now time.Time) []IndexEntry {
	live := make([]IndexEntry, 0, len(r.Entries))
	for _, e := range r.Entries {
		if !over(e.Until, now) {
			live = append(live, e)
		}
	}
	return live
}

// Found returns what stands for, of entries that live.
func Found(entries []IndexEntry) []Indexed {
	found := make([]Indexed, 0, len(entries))
	for _, e := range entries {
		found = append(found, e.Indexed)
	}
	return found
}
