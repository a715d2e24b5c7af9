package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Contents is what Check has found in a file.
type Contents struct {
	Born     time.Time // when the store was first opened
	Families int       // refresh token families, those included that have run out
	Records  int
	secrets  [][16]byte
}

// OpenedBy reports whether one of the secrets, by their identifiers, opens the store.
func (c Contents) OpenedBy(secrets [][16]byte) bool {
	return slices.ContainsFunc(secrets, func(id [16]byte) bool { return slices.Contains(c.secrets, id) })
}

// Check reads every page and every record of a file that no gateway has open,
// and changes nothing. An error names the file.
func Check(path string) (Contents, error) {
	var c Contents
	err := protect(func() error {
		if info, err := os.Stat(path); err != nil {
			return err
		} else if info.Size() == 0 {
			return fmt.Errorf("it is empty: %w", fs.ErrInvalid)
		}
		db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: 5 * lockPoll, OpenFile: openPrivate})
		if err != nil {
			return err
		}
		defer func() { _ = db.Close() }()
		return db.View(func(tx *bolt.Tx) error { return c.read(tx) })
	})
	if err != nil {
		return Contents{}, fmt.Errorf("checking the store %s: %w", path, err)
	}
	return c, nil
}

// read reads everything.
func (c *Contents) read(tx *bolt.Tx) error {
	if info, err := os.Stat(tx.DB().Path()); err != nil || info.Size() < tx.Size() {
		return errors.Join(err, errDamaged)
	}
	t := &txn{tx: tx, now: time.Now()}
	for id, name := range bucketNames {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("it is not a store of this version: it has no %s", name)
		}
		err := t.scan(bucketID(id), nil, func(k, v []byte) error {
			c.Records++
			_, err := expired(bucketID(id), k, v, t.now, nil)
			return err
		})
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
	}
	c.Families = tx.Bucket(bucketNames[families]).Stats().KeyN
	var o openingRecord
	if found, err := t.read(meta, metaOpening, &o); err != nil || !found {
		return errors.Join(err, storage.ErrNoStore)
	}
	c.Born, c.secrets = o.born, o.secrets
	var first error
	for err := range tx.Check() { // all of it, or its goroutine never ends
		if first == nil {
			first = errors.Join(err, errDamaged)
		}
	}
	return first
}
