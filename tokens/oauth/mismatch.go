package oauth

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Mismatch is where a request and the configuration differ. It is for the log and for
// events, where whoever sets an application up finds the option to change; what is
// registered never goes on the wire.
type Mismatch struct {
	Sent       string   // what came, by a stranger's word: write it with Printable
	Registered []string // what would have passed
	Option     string   // the option that says so, such as `redirect_uris`
}

// With returns a copy of a refusal that says where the request and the configuration differ.
func (e *Error) With(m Mismatch) *Error {
	refusal := *e
	refusal.Mismatch = &m
	return &refusal
}

// Why returns the cause of a refusal, or where it has none what the client is told. It
// is for the log.
func (e *Error) Why() error {
	if e.Cause != nil || e.Description == "" {
		return e.Cause
	}
	return errors.New(e.Description)
}

// printableBytes is how much of what a stranger sends is shown.
const printableBytes = 256

// Printable returns what a stranger has sent as it may stand in a log, an event or a
// page: up to 256 bytes, and for each control character, invalid byte or character
// that changes the direction of text a "?".
func Printable(s string) string {
	cut := len(s) > printableBytes
	if cut {
		end := printableBytes
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if cut {
		s += "…"
	}
	return s
}

// PrintableURI returns a URI as Printable does, without the values in its query and
// fragment and without a user and password: those may be secrets.
func PrintableURI(uri string) string {
	uri, tail := cutAny(uri, "?#")
	if scheme, rest, ok := strings.Cut(uri, "://"); ok {
		authority, path := cutAny(rest, "/\\")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			authority = "…" + authority[at:]
		}
		uri = scheme + "://" + authority + path
	}
	var b strings.Builder
	b.WriteString(uri)
	for tail != "" && b.Len() <= printableBytes {
		b.WriteByte(tail[0])
		var part string
		part, tail = cutAny(tail[1:], "?#&")
		name, _, hasValue := strings.Cut(part, "=")
		if hasValue {
			name += "=…"
		} else if part != "" {
			name = "…" // it may be a value by itself
		}
		b.WriteString(name)
	}
	return Printable(b.String())
}

// cutAny cuts a text before the first of some characters.
func cutAny(s, chars string) (before, from string) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
