package redisstore

import (
	"encoding/binary"
	"errors"
	"strconv"
	"time"
)

var (
	errNewerRecord = errors.New("reading a record: written by a newer version of Gatehouse; upgrade this node")
	errBadRecord   = errors.New("reading a record: damaged")
	errNoPerson    = errors.New("reading what is known of a person: Redis has lost it, in a failover or by hand; the person's next sign-in writes it anew")
	errBadAnswer   = errors.New("reading an answer of Redis: it is not of the expected form")
	errOtherAnswer = errors.New("reading an answer of Redis: it belongs to another call; the connection to it is not sound")
)

// answer is what a script returned, after the number of the call. The first
// field that is not what it should be spoils it, which err reports.
type answer struct {
	fields []any
	err    error
}

// readAnswer checks that the answer bears the number of the call. Answers that
// have changed places, by whatever fault between here and Redis, must never
// tell one user's state as another's.
func readAnswer(fields []any, number uint64) (answer, error) {
	if len(fields) == 0 {
		return answer{}, errBadAnswer
	}
	if got, ok := fields[0].(string); !ok || got != strconv.FormatUint(number, 10) {
		return answer{}, errOtherAnswer
	}
	return answer{fields: fields[1:]}, nil
}

// field takes the next field.
func field[T any](a *answer) T {
	var none T
	if a.err != nil || len(a.fields) == 0 {
		a.err = errBadAnswer
		return none
	}
	v, ok := a.fields[0].(T)
	a.fields = a.fields[1:]
	if !ok {
		a.err = errBadAnswer
		return none
	}
	return v
}

func (a *answer) int() int64   { return field[int64](a) }
func (a *answer) text() string { return field[string](a) }
func (a *answer) bool() bool   { return a.int() == 1 }
func (a *answer) list() []any  { return field[[]any](a) }
func (a *answer) millis() (t time.Time) {
	if ms := a.int(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return t
}

// bytes takes a text; nil when it is empty.
func (a *answer) bytes() []byte {
	if s := a.text(); s != "" {
		return []byte(s)
	}
	return nil
}

// present reports whether the next field is there; one that is not is taken.
func (a *answer) present() bool {
	if len(a.fields) > 0 && a.fields[0] == nil {
		a.fields = a.fields[1:]
		return false
	}
	return true
}

// ids reads a list of ids.
func ids[T ~[16]byte](a *answer) []T {
	list := a.list()
	if len(list) == 0 {
		return nil
	}
	all := make([]T, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok || len(s) != len(all[i]) {
			a.err = errBadAnswer
			return nil
		}
		all[i] = T([]byte(s))
	}
	return all
}

// id16 takes 16 bytes; zero where the text is empty.
func (a *answer) id16() (id [16]byte) {
	switch s := a.text(); len(s) {
	case 0:
	case len(id):
		copy(id[:], s)
	default:
		a.err = errBadAnswer
	}
	return id
}

// pairs calls f for each field and value of a list that HGETALL has made.
func pairs(list []any, f func(name, value string) error) error {
	for i := 0; i < len(list); i += 2 {
		if i+1 == len(list) {
			return errBadAnswer
		}
		name, ok := list[i].(string)
		value, too := list[i+1].(string)
		if !ok || !too {
			return errBadAnswer
		}
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

// checkRecord reports what is wrong with a record of this version and length.
func checkRecord(v string, version byte, length int) error {
	switch {
	case v != "" && v[0] != version:
		return errNewerRecord
	case len(v) != length:
		return errBadRecord
	}
	return nil
}

// seconds reads a time of four bytes; 0 is none.
func seconds(v string) (t time.Time) {
	if s := binary.BigEndian.Uint32([]byte(v)); s != 0 {
		return time.Unix(int64(s), 0)
	}
	return t
}

// appendSeconds writes a time as seconds reads it.
func appendSeconds(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint32(b, uint32(t.Unix()))
}
