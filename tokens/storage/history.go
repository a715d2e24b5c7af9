package storage

import (
	"context"
	"time"
)

// The bounds of a history.
const (
	// HistoryLength is how many notes a family keeps: the first, which is its
	// login, and the newest.
	HistoryLength = 16
	// HistoryAge is how long a history is kept after its last note, or after it was
	// prolonged.
	HistoryAge = 30 * 24 * time.Hour
	// MaxNote is the longest note in bytes.
	MaxNote = 1 << 10
)

// Histories keeps what has happened to families lately, for people who ask why.
// No decision rests on it, so it is written behind the answers, and what a
// store in trouble does not take is lost. It is there for families that have ended, too.
type Histories interface {
	// AppendHistory adds notes, in order, to the histories of their families. A
	// note without a text adds nothing, and prolongs the history that is there. A
	// call that is sent again may add them twice.
	AppendHistory(ctx context.Context, notes []Note) error
	// History returns the notes of each family asked for, in that order, the
	// oldest note first; none for a family of which nothing is known.
	History(ctx context.Context, families []FamilyID) ([][]Note, error)
	// FamilyOfRequest returns the family of the newest note that bears the request's tag.
	FamilyOfRequest(ctx context.Context, request RequestTag) (id FamilyID, found bool, err error)
}

// Note is one thing that happened to a family.
type Note struct {
	Family FamilyID
	// Request is the request that brought it about; zero for none. History
	// leaves it out.
	Request RequestTag
	Text    []byte // at most MaxNote, or none; the store does not read it
}
