package boltstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// Beat implements tokens.Pulse. It tells what background work has found out
// about the file and its disk. A file has no other primary.
func (s *Store) Beat(ctx context.Context) (tokens.Beat, error) {
	var beat tokens.Beat
	err := s.call(ctx, "beat", func(f *file) (err error) {
		if err := f.trouble(); err != nil {
			return err
		}
		beat, err = viewIn(s, f, func(t *txn) (tokens.Beat, error) {
			var o openingRecord
			_, err := t.read(meta, metaOpening, &o)
			return tokens.Beat{Now: t.now, Born: o.born, ClockDoubt: s.clock.doubted()}, err
		})
		return err
	})
	return beat, err
}
