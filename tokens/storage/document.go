package storage

import (
	"context"
	"time"
)

// Documents keeps the metadata that clients publish at their client_id, as it was last
// good, so that a host which is away keeps nobody out, on any node, nor after a restart or a
// move. No decision rests on it.
type Documents interface {
	// PutDocument keeps a text until Now+Lifetime in the place of the one before, or that there
	// is none any more. It reports false, and changes nothing, where what is there was asked for
	// later. One too many drops the one that is least worth keeping (DocumentRequest.Expected).
	PutDocument(ctx context.Context, r DocumentRequest) (bool, error)
	// Document returns the text, or nil where there is none (any more).
	Document(ctx context.Context, id DocumentID) ([]byte, error)
}

// The bounds of what is kept.
const (
	// MaxDocument is how long a text may be, in bytes.
	MaxDocument = 64 << 10
	// MaxDocuments is how many are kept, of all clients. People who sign in can have any number
	// fetched where an operator admits all. There are some dozens of such programs, and twice as many
	// as a node holds in memory are 2 MB where each is usual, and 131 MB where each is as
	// large as it can be.
	MaxDocuments = 2000
	// KeepDocument is for how long one is kept at most.
	KeepDocument = 30 * 24 * time.Hour
)

// DocumentRequest asks to keep a text.
type DocumentRequest struct {
	ID   DocumentID
	Text []byte // MaxDocument at most; nil where the host says that there is none any more
	// AsOf is the store's time at which the host was asked, exact to milliseconds.
	AsOf     time.Time
	Lifetime time.Duration // KeepDocument at most
	// Expected says that an operator has named the client, or a place where it is. It stays
	// for longer than any that nobody has; among equals the one goes that was written first.
	Expected bool
}

// After is how much later than others of its time a text goes, if there are too many.
func (r *DocumentRequest) After() time.Duration {
	if r.Expected {
		return KeepDocument
	}
	return 0
}

// DocumentRecord is the metadata of a client, in a transfer.
type DocumentRecord struct {
	DocumentRequest // without Lifetime

	Until time.Time // seconds
}

// DocumentID is the hash of a client_id that is a URL.
type DocumentID [16]byte

// DocumentIDOf returns the id of a URL.
func DocumentIDOf(url string) DocumentID { return DocumentID(Hash16("document", []byte(url))) }

// String returns the ID as base64url.
func (d DocumentID) String() string { return Encode(d[:]) }
