package boltstore

import (
	"bytes"
	"context"
	"time"
)

// Keys implements storage.KeyStore.
func (s *Store) Keys(ctx context.Context) (sealed []byte, version uint64, err error) {
	k, err := view(ctx, s, "keys", func(t *txn) (keysRecord, error) {
		var k keysRecord
		_, err := t.read(meta, metaKeys, &k)
		k.sealed = bytes.Clone(k.sealed)
		return k, err
	})
	return k.sealed, k.version, err
}

// SwapKeys implements storage.KeyStore.
func (s *Store) SwapKeys(ctx context.Context, version uint64, sealed []byte) (bool, error) {
	sealed = bytes.Clone(sealed) // the caller may leave before the commit
	return decide(ctx, s, "swap_keys", func(t *txn) (bool, error) {
		var k keysRecord
		if _, err := t.read(meta, metaKeys, &k); err != nil {
			return false, err
		}
		if k.version != version {
			// The same call sent again has won already.
			return k.version == version+1 && bytes.Equal(k.sealed, sealed), nil
		}
		t.put(meta, metaKeys, keysRecord{version: version + 1, sealed: sealed}.encode())
		return true, nil
	})
}

// Now implements storage.KeyStore.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.call(ctx, "now", func(*file) error {
		now = s.clock.now()
		return nil
	})
	return now, err
}
