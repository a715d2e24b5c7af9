// Package transfer moves all state from one store to another, as lines of JSON. It
// knows only what storage.Transfers hands out, and no kind of store.
//
// Begin reading at WriteExport and ReadExport.
package transfer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// exportFormat is the version of an export. One that is newer is refused.
const exportFormat = 1

// maxExportLine bounds a line: what one user holds, a thousand families at most.
const maxExportLine = 16 << 20

// wireHead is the first line of an export.
type wireHead struct {
	Gatehouse string `json:"gatehouse"` // "export"
	Version   int    `json:"version"`
	ID        []byte `json:"id"` // random, by which an import that broke off is known again
}

// wireEnd is the last line. Without it an export was cut off.
type wireEnd struct {
	Records int    `json:"records"`
	SHA256  string `json:"sha256"` // of all lines before
}

// Counts says what was moved.
type Counts struct {
	Records  int `json:"records"`
	Users    int `json:"users"` // who hold something
	Families int `json:"families"`
	Sessions int `json:"sessions"`
}

func (c *Counts) add(r storage.Record) {
	c.Records++
	if r.Held != nil {
		c.Users++
		c.Families += len(r.Held.Families)
		c.Sessions += len(r.Held.Sessions)
	}
}

// WriteExport writes all state of an open store as lines of JSON, user after
// user, so that it needs little memory. It stops the store as storage.Transfers.Export
// does. What it writes holds no token and no open key, but the profiles of all
// users. progress, if not nil, hears of every record.
func WriteExport(ctx context.Context, store storage.Transfers, w io.Writer, progress func(Counts)) (Counts, error) {
	x := &exportWriter{out: bufio.NewWriterSize(w, 1<<16), sum: sha256.New()}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	begun := false
	err := store.Export(ctx, func(r storage.Record) error {
		if !begun {
			begun = true
			if err := x.line(wireHead{Gatehouse: "export", Version: exportFormat, ID: id}); err != nil {
				return err
			}
		}
		line, err := wireOf(r)
		if err == nil {
			err = x.line(line)
		}
		if err != nil {
			return err
		}
		x.counts.add(r)
		if progress != nil {
			progress(x.counts)
		}
		return nil
	})
	if err != nil {
		return x.counts, fmt.Errorf("exporting: %w", err)
	}
	err = x.line(wireLine{End: &wireEnd{Records: x.counts.Records, SHA256: hex.EncodeToString(x.sum.Sum(nil))}})
	if err == nil {
		err = x.out.Flush()
	}
	if err != nil {
		return x.counts, fmt.Errorf("writing the end of the export, while the store is stopped: export again, or take it back with `caddy oauth export --undo`: %w", err)
	}
	return x.counts, nil
}

type exportWriter struct {
	out    *bufio.Writer
	sum    hash.Hash
	counts Counts
}

func (x *exportWriter) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	_, _ = x.sum.Write(b) // never fails
	_, err = x.out.Write(b)
	return err
}

// CheckExport reads an export to its end and returns what is wrong with it.
func CheckExport(r io.Reader) (Counts, error) {
	x, err := openExport(r)
	if err != nil {
		return Counts{}, err
	}
	for _, err := range x.records() {
		if err != nil {
			return x.counts, err
		}
	}
	return x.counts, nil
}

// errOtherSecret refuses an export that would be of no use to this gateway.
var errOtherSecret = errors.New("the export comes from gateways with another secret: configure their `secret`")

// ReadExport fills an empty store, not open yet, from an export, and returns
// the record of the store that it comes from. The secrets must be those of the
// gateways there: without them no refresh token, cookie or signing key in it is of
// any use; and the issuers must share one with theirs. After an error the store can't
// be opened; the same export may be read into it again.
func ReadExport(ctx context.Context, store storage.Transfers, secrets *secrets.Secrets, issuers []string, r io.Reader, progress func(Counts)) (*storage.StoreRecord, Counts, error) {
	x, err := openExport(r)
	if err != nil {
		return nil, Counts{}, err
	}
	first, _, err := x.record()
	if err == nil && first.Store == nil {
		err = errCutExport
	}
	if err == nil {
		err = checkStoreRecord(first.Store, secrets)
	}
	if err == nil {
		err = storage.CheckIssuers(first.Store.Issuers, issuers)
	}
	if err != nil {
		return nil, Counts{}, err
	}
	x.counts.add(first)
	err = store.Import(ctx, x.id, func(yield func(storage.Record, error) bool) {
		if !yield(first, nil) {
			return
		}
		for r, err := range x.records() {
			if !yield(r, err) || err != nil {
				return
			}
			if progress != nil {
				progress(x.counts)
			}
		}
	})
	if err != nil {
		return nil, x.counts, fmt.Errorf("importing: %w", err)
	}
	return first.Store, x.counts, nil
}

func checkStoreRecord(s *storage.StoreRecord, secrets *secrets.Secrets) error {
	known := slices.ContainsFunc(s.Secrets, func(id [16]byte) bool { return slices.Contains(secrets.IDs(), id) })
	if !known {
		return errOtherSecret
	}
	if err := keyring.CheckSealedKeys(secrets, s.Keys); err != nil {
		if errors.Is(err, storage.ErrWrongSecret) {
			return errOtherSecret
		}
		return err
	}
	return nil
}

type exportReader struct {
	in     *bufio.Scanner
	sum    hash.Hash
	id     [16]byte
	counts Counts
}

// openExport reads the first line.
func openExport(r io.Reader) (*exportReader, error) {
	x := &exportReader{in: bufio.NewScanner(r), sum: sha256.New()}
	x.in.Buffer(make([]byte, 1<<16), maxExportLine)
	line, err := x.next()
	if err != nil {
		return nil, err
	}
	var head wireHead
	if err := json.Unmarshal(line, &head); err != nil || head.Gatehouse != "export" || len(head.ID) != len(x.id) {
		return nil, errors.New("reading an export: this is not one: name a file written by `caddy oauth export`")
	}
	if head.Version != exportFormat {
		return nil, errNewerExport
	}
	x.count(line)
	x.id = [16]byte(head.ID)
	return x, nil
}

// count adds a line to the checksum.
func (x *exportReader) count(line []byte) {
	_, _ = x.sum.Write(line) // never fails
	_, _ = x.sum.Write([]byte{'\n'})
}

var errCutExport = errors.New("reading an export: it is cut off or damaged: export again")

func (x *exportReader) next() ([]byte, error) {
	if x.in.Scan() {
		return x.in.Bytes(), nil
	}
	if err := x.in.Err(); err != nil {
		return nil, fmt.Errorf("reading an export: %w", err)
	}
	return nil, errCutExport
}

// records returns the lines after the first, up to the end line.
func (x *exportReader) records() iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		for {
			r, more, err := x.record()
			if err == nil && !more {
				return
			}
			if err == nil {
				x.counts.add(r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// record reads a line; more is false at the end.
func (x *exportReader) record() (r storage.Record, more bool, err error) {
	line, err := x.next()
	if err != nil {
		return r, false, err
	}
	var w wireLine
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields() // what is not understood must not be left out
	if err := decoder.Decode(&w); err != nil {
		if json.Valid(line) {
			return r, false, errNewerExport
		}
		return r, false, errCutExport
	}
	if w.End != nil {
		if w.End.Records != x.counts.Records || w.End.SHA256 != hex.EncodeToString(x.sum.Sum(nil)) || x.in.Scan() {
			return r, false, errCutExport
		}
		return r, false, nil
	}
	x.count(line)
	r, err = w.record()
	return r, true, err
}
