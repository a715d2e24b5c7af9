package storage

import (
	"context"
	"encoding/binary"
	"time"
)

// DenialKind says what a denylist entry denies.
type DenialKind uint8

// The kinds of denylist entry below a user.
const (
	DenyToken   DenialKind = iota + 1 // one access token, by jti
	DenyFamily                        // the access tokens of a family
	DenySession                       // the access tokens that came from a session, by sid
	DenyUser                          // every access token of the user, who is disabled; its ID is zero
	DenyIssued                        // every access token of the user issued at or before a second, which is its ID (IssuedID)
	DenyClient                        // the access tokens of a client issued at or before a second (WithdrawnID), and codes put by then
)

// MaxDenials is about how many entries a user's denylist has at most. Beyond it
// a store replaces those of single tokens, families and sessions by one
// DenyIssued, which denies more and never less: a denylist is read as a whole,
// and must not become long by what one user does. Entries that still have to keep
// something from beginning stay, for FoldAfter.
const MaxDenials = 1024

// MaxKeptByFold is how many entries that still have to keep something from beginning
// stay, the newest. In place of the others, nothing begins from a code that was put
// or taken until then.
const MaxKeptByFold = 256

// FoldAfter is the least age of an entry that DenyIssued replaces, where a code or a
// call that is sent again may still need it.
const FoldAfter = 2 * time.Minute

// CodesLive is longer than any code lives, that of a device too. For so long a withdrawal
// (DenyClient) stays at least, and it counts that entries were folded which kept something
// from beginning.
const CodesLive = 20 * time.Minute

// Name distinguishes the entry from the others of its kind: the part of the ID that counts.
func (d *Denial) Name() []byte {
	switch d.Kind {
	case DenySession:
		return d.ID[:len(SessionID{})]
	case DenyUser:
		return nil
	case DenyIssued:
		return d.ID[:4]
	case DenyClient:
		return d.ID[:len(ClientTag{})]
	case DenyToken, DenyFamily:
	}
	return d.ID[:]
}

// IssuedID is the ID of a DenyIssued: the seconds of the time, big-endian, and zeros.
func IssuedID(at time.Time) (id [16]byte) {
	binary.BigEndian.PutUint32(id[:], uint32(at.Unix()))
	return id
}

// WithdrawnID is the ID of a DenyClient: the client, the seconds of the time, big-endian, and zeros.
func WithdrawnID(client ClientTag, at time.Time) (id [16]byte) {
	copy(id[:], client[:])
	binary.BigEndian.PutUint32(id[len(client):], uint32(at.Unix()))
	return id
}

// Withdrawn returns what the ID of a DenyClient says.
func (d *Denial) Withdrawn() (client ClientTag, at time.Time) {
	return ClientTag(d.ID[:8]), time.Unix(int64(binary.BigEndian.Uint32(d.ID[8:12])), 0)
}

// Denial is one entry of a user's denylist.
type Denial struct {
	Kind  DenialKind
	ID    [16]byte // TokenID or FamilyID; a SessionID and zeros; zero with DenyUser; see IssuedID and WithdrawnID
	Until time.Time
}

// UserDenials is the whole denylist of one user, usually empty.
type UserDenials struct {
	// Before denies every access token issued at or before it (seconds); zero for none.
	Before  time.Time
	Entries []Denial
	// Err is why this user could not be asked about, where others could (a part
	// of a Cluster is down): then nothing is known.
	Err error
}

// Denials is the authority on what is denied.
type Denials interface {
	// DenyToken denies one access token until the given time.
	DenyToken(ctx context.Context, user UserTag, id TokenID, until time.Time) error
	// Denials returns the live denylists of the users asked for, in their order.
	Denials(ctx context.Context, users []UserTag) ([]UserDenials, error)
	// EndClient sets the client's watermark to the store's time, or as far ahead
	// of it as anything is dated: families begun and tokens issued at or before
	// it are dead. It never moves back, and holds for keep, 0 for good: as long as anything
	// that it ends may live. That of a kind (ClientTag.Kind) holds for all clients of it, that of Everyone
	// holds for all clients, and ends sessions as well: nothing begins or goes
	// on by a login at or before it. It lies MostAhead ahead of the clock at most,
	// unless that was set back. See ClientEnd.Late.
	EndClient(ctx context.Context, client ClientTag, keep time.Duration) (ClientEnd, error)
	// BlockClient says whether the client is blocked, for good. It ends nothing: what that
	// means for new sign-ins is the caller's business.
	BlockClient(ctx context.Context, client ClientTag, blocked bool) error
	// ClientWatermarks returns what holds of the clients that were ended or are blocked.
	ClientWatermarks(ctx context.Context) (map[ClientTag]ClientMark, error)
}

// ClientMark is what was decided about a client.
type ClientMark struct {
	Before  time.Time // the watermark; seconds, zero for none
	Blocked bool
}

// ClientEnd is the answer of EndClient.
type ClientEnd struct {
	Before time.Time // the watermark; seconds
	// Late is zero where each decision looks at the watermarks itself. It is not
	// where they lie apart from what is decided about (a Redis Cluster): there a
	// decision goes by what its request knows of them, Everyone's is held against
	// logins by the caller alone, and Late is how long after it was asked for a
	// decision may still be made, and dated by another clock. So something can
	// slip past the end. It is dated by the time of the decision, or a few
	// seconds ahead of it: a second end reaches it, once every caller has heard of
	// the first.
	Late time.Duration
}

// Everyone is the client whose watermark holds for all: an operator's "all that
// was begun or issued until now is over". See Denials.EndClient.
var Everyone ClientTag

// None reports whether nothing is denied.
func (u *UserDenials) None() bool { return u.Before.IsZero() && len(u.Entries) == 0 }
