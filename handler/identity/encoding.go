package identity

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Encoding is how a claim becomes the value of a header. HTTP carries visible ASCII
// for certain (RFC 9110 §5.5); what servers make of other bytes differs.
type Encoding string

// The encodings. What cannot be carried is percent-encoded in each of them, as the
// UTF-8 that it is (RFC 3986 §2.1): control characters, spaces at the ends, and commas in
// the elements of a list, which are joined by commas.
const (
	// Percent encodes all that is not visible ASCII, and the percent sign, so that
	// decoding gives back the claim. It is the default.
	Percent Encoding = "percent"
	// Raw carries printable characters as UTF-8.
	Raw Encoding = "raw"
	// Latin1 carries those of ISO 8859-1 as one byte each.
	Latin1 Encoding = "latin1"
)

// Encodings are all there are.
var Encodings = []Encoding{Percent, Raw, Latin1}

// Valid reports whether the encoding is one of them; "" is Percent.
func (e Encoding) Valid() bool { return e == "" || slices.Contains(Encodings, e) }

func (e Encoding) text(text string) string { return e.encode(text, false) }

// element writes a text that stands between commas.
func (e Encoding) element(text string) string { return e.encode(text, true) }

func (e Encoding) encode(text string, listed bool) string {
	decodable := e != Raw && e != Latin1
	if plain(text, decodable, listed) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		edge := i == 0 || i+utf8.RuneLen(r) == len(text)
		switch {
		case r == ' ' && edge, r == ',' && listed, r == '%' && decodable, !e.carries(r):
			percent(&b, r)
		case e == Latin1:
			b.WriteByte(byte(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// carries reports whether the encoding has a character, wherever it stands.
func (e Encoding) carries(r rune) bool {
	switch {
	case r < 0x80:
		return r >= ' ' && r < 0x7f
	case e == Latin1:
		return r <= 0xff && unicode.IsPrint(r)
	default:
		return e == Raw && unicode.IsPrint(r)
	}
}

// plain reports whether a text is carried as it is.
func plain(text string, decodable, listed bool) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c >= 0x7f, c == ',' && listed, c == '%' && decodable:
			return false
		}
	}
	return text == "" || text[0] != ' ' && text[len(text)-1] != ' '
}

func percent(b *strings.Builder, r rune) {
	const digits = "0123456789ABCDEF"
	for _, c := range utf8.AppendRune(nil, r) {
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
}
