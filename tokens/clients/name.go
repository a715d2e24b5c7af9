package clients

import (
	"strings"
	"unicode"
)

const maxClientName = 64 // characters

// PlainName returns a name that a client has given itself as it may be shown: its first 64
// characters, without those that cannot be seen or that turn around what stands beside them.
func PlainName(name string) string {
	var b strings.Builder
	n, blank := 0, false
	for _, c := range name {
		switch {
		case unicode.IsSpace(c):
			blank = b.Len() > 0
			continue
		case c == unicode.ReplacementChar || !unicode.IsPrint(c) || unicode.In(c, unicode.Mn, unicode.Me) && n == 0:
			continue
		case blank:
			b.WriteByte(' ')
			n, blank = n+1, false
		}
		if n >= maxClientName {
			break
		}
		b.WriteRune(c)
		n++
	}
	return b.String()
}
