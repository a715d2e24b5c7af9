package boltstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Beat implements storage.Pulse. It tells what background work has found out
// about the file and its disk. A file has no other primary. Only the first beat
// of a node and the last one write.
func (s *Store) Beat(ctx context.Context, r storage.BeatRequest) (storage.Beat, error) {
	var b storage.Beat
	err := s.call(ctx, "beat", func(f *file) (err error) {
		// The sign of life counts in trouble, too: it says what was answered.
		known := s.nodes.known(r, s.clock.now())
		if err := f.trouble(); err != nil {
			return err
		}
		if r.Node != (storage.NodeMark{}) && (r.Leaving || !known) {
			enter := func(t *txn) (struct{}, error) { return struct{}{}, s.nodes.enter(t, r) }
			if _, err := commitIn(ctx, f, enter); err != nil {
				return err
			}
		}
		b, err = viewIn(s, f, beat)
		b.ClockDoubt = s.clock.doubted()
		return err
	})
	return b, err
}

func beat(t *txn) (storage.Beat, error) {
	var o openingRecord
	_, err := t.read(meta, metaOpening, &o)
	return storage.Beat{Now: t.now, Born: o.born}, err
}
