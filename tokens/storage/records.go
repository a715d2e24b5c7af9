package storage

import (
	"context"
	"time"
)

// Users looks at everybody, and lets a disabled user back in. Disabling one is
// an end (DisableUser), decided by Families.End.
type Users interface {
	// ScanUsers calls each with what the store keeps of its users: the parts
	// asked for, one Record for each part of a user, in no order. What is there
	// from beginning to end comes at least once; what changes meanwhile comes as
	// it was at some moment, or not at all. What is over is left out. An error of
	// each ends the scan and is returned.
	//
	// It reads everything, piece by piece, and holds no lock while each runs.
	ScanUsers(ctx context.Context, parts UserParts, each func(Record) error) error
	// Held returns what one user holds; the zero record but for User when that is nothing.
	Held(ctx context.Context, user UserTag) (HeldRecord, error)
	// Enable takes back what DisableUser did, but for what it ended: the user
	// may log in again. It reports whether the user was disabled. The same
	// Attempt gets the same answer, as long as a call may be sent again.
	Enable(ctx context.Context, user UserTag, attempt Attempt) (bool, error)
	// Rebind gives the profile of a user another fingerprint, if it has the one that is
	// named, and changes nothing else: sessions and families go on. It reports whether the
	// profile has the new one now, by this call or one before.
	Rebind(ctx context.Context, r RebindRequest) (bool, error)
}

// RebindRequest asks to replace the fingerprint of a profile.
type RebindRequest struct {
	User     UserTag
	From, To Fingerprint
}

// UserParts says what of the users a scan is to bring.
type UserParts uint8

// The parts of a user.
const (
	PartHeld      UserParts = 1 << iota // Record.Held
	PartDenied                          // Record.Denied
	PartCodes                           // Record.Codes
	PartUpstreams                       // Record.Upstreams
	PartIndex                           // Record.Index, which belongs to no one user
	PartConsents                        // Record.Consents
	PartOutbox                          // Record.Outbox

	AllParts = PartHeld | PartDenied | PartCodes | PartUpstreams | PartIndex | PartConsents | PartOutbox
)

// Record is one thing that a store keeps, in no store's own form. Exactly one
// of its fields is set.
type Record struct {
	Store     *StoreRecord
	Grant     *GrantRecord
	Client    *ClientRecord
	Assertion *AssertionRecord
	Held      *HeldRecord
	Denied    *DeniedRecord
	Codes     *CodesRecord
	Upstreams *UpstreamsRecord
	Index     *IndexRecord
	Consents  *ConsentsRecord
	Alias     *Alias
	Outbox    *OutboxRecord
	Document  *DocumentRecord
}

// StoreRecord is what a store knows of itself, and the sealed signing keys.
type StoreRecord struct {
	Born          time.Time // milliseconds
	Now           time.Time // the store's time when it was written, milliseconds
	TokenLifetime time.Duration
	Secrets       [][16]byte // the identifiers of the secrets that it was last opened with
	Issuers       []string   // that it was last opened for
	KeysVersion   uint64
	Keys          []byte // sealed
}

// GrantRecord is the text of a grant.
type GrantRecord struct {
	ID    GrantID
	Text  []byte
	Until time.Time // seconds; zero for no end
}

// ClientRecord is the watermark of a client.
type ClientRecord struct {
	Client  ClientTag
	Before  time.Time // seconds
	Until   time.Time // seconds; from when on it holds no more, zero for never
	Blocked bool
}

// HeldRecord is what a user holds.
type HeldRecord struct {
	User     UserTag
	Profile  Profile // zero for none
	Families []Family
	Sessions []Session
}

// DeniedRecord is what is denied of a user.
type DeniedRecord struct {
	User    UserTag
	Entries []DenialEntry
	// Before is the last sign-out everywhere, remembered till Until; Issued the
	// latest time ahead of the clock that a token was dated by; Folded when entries
	// were dropped that kept something from beginning (MaxKeptByFold). All are
	// seconds, zero for none.
	Before, Until, Issued, Folded time.Time
}

// DenialEntry is a Denial with what is known of the end that wrote it.
type DenialEntry struct {
	Denial
	Attempt Attempt // the call that ended the family
	Lived   bool    // the family lived until then
	Reused  bool    // it was ended because an old token was presented
}

// Disabled reports whether the user is.
func (d *DeniedRecord) Disabled() bool {
	for i := range d.Entries {
		if d.Entries[i].Kind == DenyUser {
			return true
		}
	}
	return false
}

// CodesRecord is a user's authorization codes, spent ones too.
type CodesRecord struct {
	User  UserTag
	Codes []CodeEntry
}

// CodeEntry is one authorization code.
type CodeEntry struct {
	ID      CodeID
	Session SessionID
	Owner   [16]byte
	Body    []byte    // of a spent one, too, while that is kept
	Put     time.Time // seconds
	Expires time.Time // milliseconds; of a spent one, when it is forgotten
	Taken   time.Time // milliseconds; zero while it is good
	Attempt Attempt   // that took it
}

// Forever is until when an entry of the denylist lives that has no end.
var Forever = time.Unix(1<<32-1, 0)

// AssertionRecord is a used assertion of a client.
type AssertionRecord struct {
	ID    AssertionID
	Until time.Time // milliseconds
}
