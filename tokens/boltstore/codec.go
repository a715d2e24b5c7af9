package boltstore

import (
	"cmp"
	"encoding/binary"
	"time"
)

// decoder reads the fields of a record in order. The first field that is not
// there spoils it, which end reports; what was read is then worth nothing.
type decoder struct {
	b   []byte
	err error
}

// newDecoder reads the version of a record that is in its first form.
func newDecoder(b []byte) decoder { return newDecoderOf(b, recordVersion) }

// newDecoderOf reads the version.
func newDecoderOf(b []byte, version byte) decoder {
	switch {
	case len(b) == 0:
		return decoder{err: errBadRecord}
	case b[0] != version:
		return decoder{err: errNewerRecord}
	}
	return decoder{b: b[1:]}
}

func (d *decoder) bytes(n int) []byte {
	if d.err != nil || len(d.b) < n {
		d.b, d.err = nil, cmp.Or(d.err, errBadRecord)
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) rest() []byte {
	b := d.b
	d.b = nil
	return b
}

func (d *decoder) uint64() uint64 {
	b := d.bytes(8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// seconds reads what appendSeconds wrote.
func (d *decoder) seconds() time.Time {
	b := d.bytes(4)
	if b == nil {
		return time.Time{}
	}
	if s := binary.BigEndian.Uint32(b); s != 0 {
		return time.Unix(int64(s), 0)
	}
	return time.Time{}
}

// millis reads what appendMillis wrote.
func (d *decoder) millis() time.Time {
	if ms := d.uint64(); ms != 0 {
		return time.UnixMilli(int64(ms))
	}
	return time.Time{}
}

// end returns the first error. Bytes that are left over are one too.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) != 0 {
		return errBadRecord
	}
	return d.err
}

// appendSeconds writes a time in seconds, zero for none.
func appendSeconds(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint32(b, uint32(t.Unix()))
}

// appendMillis writes a time in milliseconds, zero for none.
func appendMillis(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
}
