package storage

import (
	"context"
	"errors"
	"iter"
)

// Transfers moves all state from one store to another.
type Transfers interface {
	// Export stops every decision over the state, on all gateways, and then
	// calls each with all that is kept: the StoreRecord, what belongs to no user,
	// and the users as ScanUsers does. The store stays stopped: deciding calls
	// return ErrMoved and only what reads is answered, so that nothing is begun
	// or ended behind the export's back. When it fails, or each does, the store
	// goes on as if nothing had been, unless it had been stopped before.
	Export(ctx context.Context, each func(Record) error) error
	// Resume lets a store decide again whose Export is called off. It reports
	// whether the store was stopped.
	Resume(ctx context.Context) (bool, error)
	// Import fills an empty store, which must not be open, with the records of
	// an Export. The birth mark is written last: until then Open returns
	// ErrUnfinishedImport, and an Import with the same id starts over on what is
	// there. ErrNotEmpty for a store that holds anything else.
	Import(ctx context.Context, id [16]byte, records iter.Seq2[Record, error]) error
}

// The errors of Transfers and of Store.Open.
var (
	ErrMoved = errors.New("the store was stopped by `caddy oauth export`: configure the store that it was moved to, " +
		"or take the move back with `caddy oauth export --undo`")
	ErrUnfinishedImport = errors.New("an import into the store did not finish: run `caddy oauth import` again with the same file, " +
		"or empty the store")
	ErrNotEmpty = errors.New("the store is not empty: import into a new file, database or key prefix")
	ErrNoStore  = errors.New("there is no store yet: check the path or address")
)
