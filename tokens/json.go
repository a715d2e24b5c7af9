package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
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

var errJSON = errors.New("reading JSON of a token: malformed, of the wrong type or too large")

// jsonReader reads one JSON object of a token. It refuses what encoding/json
// lets pass and two parsers may read in two ways: duplicate members on any
// level, invalid UTF-8, names in another case (RFC 8725 §3.7, RFC 7519
// §10.1.1), and beyond those depth, members and numbers out of bounds.
type jsonReader struct {
	text    string // the object; strings without escapes are parts of it
	source  bytes.Buffer
	decoder *jsontext.Decoder
	members int
	nodes   int    // names and values; see memory
	objects int    // among them
	name    []byte // of an escaped member
}

var jsonReaders = sync.Pool{New: func() any {
	return &jsonReader{decoder: jsontext.NewDecoder(new(bytes.Buffer))}
}}

// readJSON begins to read an object.
func readJSON(object []byte) (*jsonReader, error) {
	r := jsonReaders.Get().(*jsonReader) //nolint:forcetypeassert // the pool holds nothing else
	r.text = string(object)
	r.source = *bytes.NewBuffer(object)
	r.decoder.Reset(&r.source)
	r.members, r.nodes, r.objects = 0, 0, 0
	if err := r.open('{'); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// close gives the reader back. It keeps no part of the token.
func (r *jsonReader) close() {
	r.text, r.source = "", bytes.Buffer{}
	r.decoder.Reset(&r.source)
	jsonReaders.Put(r)
}

func (r *jsonReader) open(kind jsontext.Kind) error {
	if r.decoder.PeekKind() != kind {
		return errJSON
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return errJSON
	}
	if kind == '{' {
		r.objects++
	}
	return nil
}

// What a name or a value costs in memory once value has read it, beside its
// text, and an object beside its members: a map has room for eight from the start.
const (
	nodeBytes   = 56
	objectBytes = 256
)

// memory returns about how many bytes all that was read takes as the value of
// object, beside the texts in it.
func (r *jsonReader) memory() int64 { return int64(r.nodes)*nodeBytes + int64(r.objects)*objectBytes }

// next reads the name of the next member. It is nil at the end of the object
// and good until the next call.
func (r *jsonReader) next() ([]byte, error) {
	if r.decoder.PeekKind() == '}' {
		if _, err := r.decoder.ReadToken(); err != nil {
			return nil, errJSON
		}
		return nil, nil
	}
	raw, err := r.decoder.ReadValue()
	r.nodes += 2 // the value comes next
	if r.members++; err != nil || r.members > maxJSONMembers {
		return nil, errJSON
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	// "\u0063nf" is "cnf".
	if r.name, err = jsontext.AppendUnquote(r.name[:0], raw); err != nil {
		return nil, errJSON
	}
	return r.name, nil
}

// end makes sure that nothing follows the object.
func (r *jsonReader) end() error {
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errJSON
	}
	return nil
}

func (r *jsonReader) string() (string, error) {
	if r.decoder.PeekKind() != '"' {
		return "", errJSON
	}
	raw, err := r.decoder.ReadValue()
	if err != nil {
		return "", errJSON
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		end := int(r.decoder.InputOffset())
		return r.text[end-len(raw)+1 : end-1], nil
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", errJSON
	}
	return string(s), nil
}

// stringList appends a string or an array of at most limit strings to an empty list.
func (r *jsonReader) stringList(list []string, limit int) ([]string, error) {
	if r.decoder.PeekKind() != '[' {
		s, err := r.string()
		return append(list, s), err
	}
	if err := r.open('['); err != nil {
		return nil, err
	}
	for r.decoder.PeekKind() != ']' {
		s, err := r.string()
		if err != nil || len(list) == limit {
			return nil, errJSON
		}
		list = append(list, s)
		r.nodes++
	}
	_, err := r.decoder.ReadToken()
	return list, err
}

// maxNumericDate is the end of the year 9999, the last that RFC 3339 can write.
const maxNumericDate = 253402300799

// numericDate reads seconds since 1970, which may have a fraction. See RFC 7519 §2.
func (r *jsonReader) numericDate() (time.Time, error) {
	if r.decoder.PeekKind() != '0' {
		return time.Time{}, errJSON
	}
	raw, err := r.decoder.ReadValue()
	if err != nil {
		return time.Time{}, errJSON
	}
	return parseNumericDate(string(raw))
}

func parseNumericDate(number string) (time.Time, error) {
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > maxNumericDate {
			return time.Time{}, errJSON
		}
		return time.Unix(n, 0).UTC(), nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f < 0 || f > maxNumericDate {
		return time.Time{}, errJSON
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

// skip reads a value that nobody asks for, within the bounds.
func (r *jsonReader) skip() error {
	for start := r.decoder.StackDepth(); ; {
		token, err := r.decoder.ReadToken()
		if err != nil {
			return errJSON
		}
		if r.decoder.StackDepth() > maxJSONDepth {
			return errJSON
		}
		if token.Kind() == '0' {
			if _, err := token.Float(); err != nil {
				return errJSON
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
				return errJSON
			}
		}
		if r.decoder.StackDepth() == start {
			return nil
		}
	}
}

// value reads any value: string, bool, json.Number (exact), []any, map[string]any or nil.
func (r *jsonReader) value() (any, error) {
	switch r.decoder.PeekKind() {
	case '{':
		if err := r.open('{'); err != nil {
			return nil, err
		}
		return r.object()
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
		return r.string()
	default:
		return r.scalar()
	}
}

// scalar reads a number, true, false or null.
func (r *jsonReader) scalar() (any, error) {
	token, err := r.decoder.ReadToken()
	if err != nil {
		return nil, errJSON
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

// object reads the rest of an object.
func (r *jsonReader) object() (map[string]any, error) {
	members := make(map[string]any)
	for {
		name, err := r.next()
		if name == nil || err != nil {
			return members, err
		}
		key := string(name)
		if members[key], err = r.value(); err != nil {
			return nil, err
		}
	}
}

// rawObject reads an object as text.
func (r *jsonReader) rawObject() ([]byte, error) {
	if r.decoder.PeekKind() != '{' {
		return nil, errJSON
	}
	raw, err := r.decoder.ReadValue() // refuses repeated members on any level
	if err != nil {
		return nil, errJSON
	}
	return bytes.Clone(raw), nil
}
