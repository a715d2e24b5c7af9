package boltstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// Beat implements tokens.Pulse. A file has no other primary, and is the same as
// long as it is open.
func (s *Store) Beat(ctx context.Context) (tokens.Beat, error) {
	return view(ctx, s, "beat", func(t *txn) (tokens.Beat, error) {
		var o openingRecord
		_, err := t.read(meta, metaOpening, &o)
		return tokens.Beat{Now: t.now, Born: o.born}, err
	})
}
