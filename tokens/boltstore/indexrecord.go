package boltstore

import (
	"fmt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// indexRecord is the logins under a provider's name.
type indexRecord struct{ storage.IndexRecord }

// decode copies what it keeps.
func (r *indexRecord) decode(b []byte) error { return r.UnmarshalBinary(b) }

// index reads the entries under a name that live.
func (t *txn) index(key storage.IndexKey) ([]storage.IndexEntry, error) {
	var r indexRecord
	_, err := t.read(indexes, key[:], &r)
	return r.Live(t.now), err
}

func (t *txn) putIndex(r storage.IndexRecord) error {
	b, err := r.MarshalBinary()
	if err != nil {
		return fmt.Errorf("writing index record: %w", err)
	}
	t.put(indexes, r.Key[:], b)
	return nil
}
