package boltstore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"runtime/debug"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/background"
)

// errDamaged is a file whose bytes are not those that were written: a disk or a
// copy has changed them. Store.run adds the path.
var errDamaged = errors.New("the file is damaged: restore a backup, or move it away to start over")

// castagnoli is the polynomial that processors know.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumBytes is the length of the checksum that ends each value in the file.
// bbolt has none but for its two meta pages, and a record of 63 bytes with one
// bit changed is as good as any: a login, or its end, would be another one.
const sumBytes = 4

func sumOf(id bucketID, key, value []byte) [sumBytes]byte {
	sum := crc32.Update(crc32.Update(crc32.Checksum([]byte{byte(id)}, castagnoli), castagnoli, key), castagnoli, value)
	return [sumBytes]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
}

// seal returns a value as it is in the file.
func seal(id bucketID, key, value []byte) []byte {
	sum := sumOf(id, key, value)
	return append(append(make([]byte, 0, len(value)+sumBytes), value...), sum[:]...)
}

// unseal returns what seal was given; it points into the file, too.
func unseal(id bucketID, key, sealed []byte) ([]byte, error) {
	end := len(sealed) - sumBytes
	if end < 0 {
		return nil, damagedIn(id)
	}
	value := sealed[:end:end]
	if sumOf(id, key, value) != [sumBytes]byte(sealed[end:]) {
		return nil, damagedIn(id)
	}
	return value, nil
}

func damagedIn(id bucketID) error {
	return fmt.Errorf("reading from %s: %w", bucketNames[id], errDamaged)
}

// brokenPageError is a panic that the file is to blame for. What bbolt says holds
// numbers of pages, and nothing of what is in them.
type brokenPageError struct{ value any }

func (e *brokenPageError) Error() string { return fmt.Sprintf("%v (%.100v)", errDamaged, e.value) }

func (e *brokenPageError) Unwrap() error { return errDamaged }

// protect runs f and returns its panic as an error. bbolt trusts its file: where a
// page is not what it should be it panics, or reads behind the end of it, which is
// a fault that would end the whole process.
func protect(f func() error) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	err := background.Try(f)
	//nolint:errorlint // a panic of f itself, which nothing wraps
	if panicked, ok := err.(*background.PanicError); ok && fileIsToBlame(panicked) {
		return &brokenPageError{panicked.Value}
	}
	return err
}

// fileIsToBlame reports whether a panic is about the file: a fault at an address,
// which only what is mapped can cause, or a panic within bbolt.
func fileIsToBlame(p *background.PanicError) bool {
	if fault, ok := p.Value.(interface{ Addr() uintptr }); ok && fault.Addr() != 0 {
		return true
	}
	return strings.HasPrefix(p.Function, "go.etcd.io/bbolt")
}
