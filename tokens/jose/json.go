package jose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of the JSON in a token. Real ones stay far below.
const (
	maxJSONDepth   = 16
	maxJSONMembers = 256
)

// ErrJSON is every failure of a JSONReader: text that is no JSON, a value of
// another type than was asked for, or one out of bounds.
var ErrJSON = errors.New("reading JSON of a token: malformed, of the wrong type or too large")

// ErrMembers is ErrJSON for an object with too many members.
var ErrMembers = fmt.Errorf("%w: more than %d members", ErrJSON, maxJSONMembers)

// JSONReader reads one JSON object of a token. It refuses what encoding/json
// lets pass and two parsers may read in two ways: duplicate members on any
// level, invalid UTF-8, names in another case (RFC 8725 §3.7, RFC 7519
// §10.1.1), and beyond those depth, members and numbers out of bounds.
type JSONReader struct {
	Text    string // the object; strings without escapes are parts of it
	source  bytes.Buffer
	decoder *jsontext.Decoder
	members int
	nodes   int    // names and values; see memory
	objects int    // among them
	name    []byte // of an escaped member
}

var jsonReaders = sync.Pool{New: func() any {
	return &JSONReader{decoder: jsontext.NewDecoder(new(bytes.Buffer))}
}}

// ReadJSON begins to read an object.
func ReadJSON(object []byte) (*JSONReader, error) {
	r := jsonReaders.Get().(*JSONReader) //nolint:forcetypeassert // the pool holds nothing else
	r.Text = string(object)
	r.source = *bytes.NewBuffer(object)
	r.decoder.Reset(&r.source)
	r.members, r.nodes, r.objects = 0, 0, 0
	if err := r.open('{'); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close gives the reader back. It keeps no part of the token.
func (r *JSONReader) Close() {
	r.Text, r.source = "", bytes.Buffer{}
	r.decoder.Reset(&r.source)
	jsonReaders.Put(r)
}

func (r *JSONReader) open(kind jsontext.Kind) error {
	if r.decoder.PeekKind() != kind {
		return ErrJSON
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return ErrJSON
	}
	if kind == '{' {
		r.objects++
	}
	return nil
}

// What a name or a value costs in memory once value has read it, beside its
// text, and an object beside its members: a map has room for eight from the start.
const (
	NodeBytes   = 56
	ObjectBytes = 256
)

// Memory returns about how many bytes all that was read takes as the value of
// object, beside the texts in it.
func (r *JSONReader) Memory() int64 { return int64(r.nodes)*NodeBytes + int64(r.objects)*ObjectBytes }

// Next reads the name of the next member. It is nil at the end of the object
// and good until the next call.
func (r *JSONReader) Next() ([]byte, error) {
	if r.decoder.PeekKind() == '}' {
		if _, err := r.decoder.ReadToken(); err != nil {
			return nil, ErrJSON
		}
		return nil, nil
	}
	raw, err := r.decoder.ReadValue()
	r.nodes += 2 // the value comes next
	if r.members++; err != nil {
		return nil, ErrJSON
	}
	if r.members > maxJSONMembers {
		return nil, ErrMembers
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	// "\u0063nf" is "cnf".
	if r.name, err = jsontext.AppendUnquote(r.name[:0], raw); err != nil {
		return nil, ErrJSON
	}
	return r.name, nil
}

// End makes sure that nothing follows the object.
func (r *JSONReader) End() error {
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return ErrJSON
	}
	return nil
}

// String reads a string. Errors: ErrJSON for any other value.
func (r *JSONReader) String() (string, error) {
	if r.decoder.PeekKind() != '"' {
		return "", ErrJSON
	}
	raw, err := r.decoder.ReadValue()
	if err != nil {
		return "", ErrJSON
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		end := int(r.decoder.InputOffset())
		return r.Text[end-len(raw)+1 : end-1], nil
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", ErrJSON
	}
	return string(s), nil
}

// StringList appends a string or an array of at most limit strings to an empty list.
func (r *JSONReader) StringList(list []string, limit int) ([]string, error) {
	if r.decoder.PeekKind() != '[' {
		s, err := r.String()
		return append(list, s), err
	}
	if err := r.open('['); err != nil {
		return nil, err
	}
	for r.decoder.PeekKind() != ']' {
		s, err := r.String()
		if err != nil || len(list) == limit {
			return nil, ErrJSON
		}
		list = append(list, s)
		r.nodes++
	}
	_, err := r.decoder.ReadToken()
	return list, err
}

// maxNumericDate is the end of the year 9999, the last that RFC 3339 can write.
const maxNumericDate = 253402300799

// NumericDate reads seconds since 1970, which may have a fraction. See RFC 7519 §2.
func (r *JSONReader) NumericDate() (time.Time, error) {
	if r.decoder.PeekKind() != '0' {
		return time.Time{}, ErrJSON
	}
	raw, err := r.decoder.ReadValue()
	if err != nil {
		return time.Time{}, ErrJSON
	}
	return ParseNumericDate(string(raw))
}

// ParseNumericDate returns the time of a number of seconds since 1970, which may
// have a fraction. It refuses times before 1970 and after the year 9999 with
// ErrJSON. See RFC 7519 §2.
func ParseNumericDate(number string) (time.Time, error) {
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > maxNumericDate {
			return time.Time{}, ErrJSON
		}
		return time.Unix(n, 0).UTC(), nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f < 0 || f > maxNumericDate {
		return time.Time{}, ErrJSON
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

// Skip reads a value that nobody asks for, within the bounds.
func (r *JSONReader) Skip() error {
	for start := r.decoder.StackDepth(); ; {
		token, err := r.decoder.ReadToken()
		if err != nil {
			return ErrJSON
		}
		if r.decoder.StackDepth() > maxJSONDepth {
			return ErrJSON
		}
		if token.Kind() == '0' {
			if _, err := token.Float(); err != nil {
				return ErrJSON
			}
		}
		if token.Kind() == '{' {
			r.objects++
		}
		// Within an object every second token is a name: counting them all
		// as members would be double. A value in a list is counted at its end.
		switch kind, n := r.decoder.StackIndex(r.decoder.StackDepth()); {
		case kind == '[' && n > 0:
			r.nodes++
		case kind == '{' && n%2 == 1:
			r.nodes += 2
			if r.members++; r.members > maxJSONMembers {
				return ErrMembers
			}
		}
		if r.decoder.StackDepth() == start {
			return nil
		}
	}
}

// value reads any value: string, bool, json.Number (exact), []any, map[string]any or nil.
func (r *JSONReader) value() (any, error) {
	switch r.decoder.PeekKind() {
	case '{':
		if err := r.open('{'); err != nil {
			return nil, err
		}
		return r.Object()
	case '[':
		if err := r.open('['); err != nil {
			return nil, err
		}
		list := []any{}
		for r.decoder.PeekKind() != ']' {
			v, err := r.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			r.nodes++
		}
		_, err := r.decoder.ReadToken()
		return list, err
	case '"':
		return r.String()
	default:
		return r.scalar()
	}
}

// scalar reads a number, true, false or null.
func (r *JSONReader) scalar() (any, error) {
	token, err := r.decoder.ReadToken()
	if err != nil {
		return nil, ErrJSON
	}
	switch token.Kind() {
	case 't', 'f':
		return token.Bool(), nil
	case '0':
		return json.Number(token.String()), nil
	default:
		return nil, nil
	}
}

// Object reads the rest of an object.
func (r *JSONReader) Object() (map[string]any, error) {
	members := make(map[string]any)
	for {
		name, err := r.Next()
		if name == nil || err != nil {
			return members, err
		}
		key := string(name)
		if members[key], err = r.value(); err != nil {
			return nil, err
		}
	}
}

// RawObject reads an object as text.
func (r *JSONReader) RawObject() ([]byte, error) {
	if r.decoder.PeekKind() != '{' {
		return nil, ErrJSON
	}
	raw, err := r.decoder.ReadValue() // refuses repeated members on any level
	if err != nil {
		return nil, ErrJSON
	}
	return bytes.Clone(raw), nil
}
