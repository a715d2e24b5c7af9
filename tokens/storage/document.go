package storage

import (
	"context"
	"time"
)

// Documents keeps the metadata that clients publish at their client_id, as it was last
// good, so that a host which is away keeps nobody out, on any node, nor after a restart.
// No decision rests on it, and a transfer leaves it behind: it is fetched again.
type Documents interface {
	// PutDocument keeps a text until Now+Lifetime in the place of the one before; a nil
	// Text removes that. Of two calls at once either may be the last.
	PutDocument(ctx context.Context, r DocumentRequest) error
	// Document returns the text, or nil where there is none (any more).
	Document(ctx context.Context, id DocumentID) ([]byte, error)
}

// MaxDocument is how long a text may be, in bytes.
const MaxDocument = 64 << 10

// DocumentRequest asks to keep a text.
type DocumentRequest struct {
	ID       DocumentID
	Text     []byte // MaxDocument at most
	Lifetime time.Duration
}

// DocumentID is the hash of a client_id that is a URL.
type DocumentID [16]byte

// DocumentIDOf returns the id of a URL.
func DocumentIDOf(url string) DocumentID { return DocumentID(Hash16("document", []byte(url))) }

// String returns the ID as base64url, as it stands in key names.
func (d DocumentID) String() string { return Encode(d[:]) }
