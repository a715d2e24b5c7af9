package storage

import (
	"encoding/binary"
	"time"
)

// EndOf returns start plus a lifetime, rounded up to seconds, or zero for no end.
func EndOf(start time.Time, lifetime time.Duration) time.Time {
	if lifetime <= 0 {
		return time.Time{}
	}
	return start.Add(lifetime + time.Second - 1).Truncate(time.Second)
}

// Earlier returns the earlier of two ends. The zero time means no end.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// AppendSeconds appends a time to a record: the seconds since 1970, big-endian in 4
// bytes, and 0 for the zero time.
func AppendSeconds(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint32(b, uint32(t.Unix())) // until 2106
}

// ReadSeconds reads what AppendSeconds wrote. It needs 4 bytes, and returns the
// zero time for 0.
func ReadSeconds(b []byte) time.Time {
	s := binary.BigEndian.Uint32(b)
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0)
}

// Later returns the later of two times, the zero time being earlier than any other.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// over reports whether an end, zero for none, has come.
func over(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// AppendMillis6 appends a time to a record: the milliseconds since 1970, big-endian in
// 6 bytes, and 0 for the zero time.
func AppendMillis6(b []byte, t time.Time) []byte {
	var ms [8]byte
	if !t.IsZero() {
		binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	}
	return append(b, ms[2:]...)
}

// ReadMillis6 reads what AppendMillis6 wrote. It needs 6 bytes, and returns the
// zero time for 0.
func ReadMillis6(b []byte) time.Time {
	var ms [8]byte
	copy(ms[2:], b[:6])
	if ms == ([8]byte{}) {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:])))
}
