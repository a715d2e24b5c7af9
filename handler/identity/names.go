package identity

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// foldHeader writes a byte of a header's name as the strictest and the laxest
// server behind us would take it for the same: letters without case, digits, and
// one sign for all others. CGI and its heirs write every sign as "_".
var foldHeader = func() (fold [256]byte) {
	for i := range fold {
		switch c := byte(i); {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z':
			fold[i] = c
		case 'A' <= c && c <= 'Z':
			fold[i] = c + 'a' - 'A'
		default:
			fold[i] = '-'
		}
	}
	return fold
}()

// SameHeader reports whether a server behind us may take one name of a header
// for the other. See RFC 3875 §4.1.18, which leaves it open what becomes of signs.
func SameHeader(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldHeader[a[i]] != foldHeader[b[i]] {
			return false
		}
	}
	return true
}

// Names are names of headers, each in any spelling.
type Names struct {
	names   []string // the shortest first
	lengths uint64   // a bit for the length of each: most headers of a request need no other look
}

// NamesOf makes the set of the names.
func NamesOf(names ...string) (n Names) {
	for _, name := range names {
		n.add(name)
	}
	return n
}

func (n *Names) add(name string) {
	at, _ := slices.BinarySearchFunc(n.names, len(name)+1, func(own string, length int) int { return len(own) - length })
	n.names = slices.Insert(n.names, at, name)
	n.lengths |= 1 << (len(name) % 64)
}

// None reports whether there are no names.
func (n *Names) None() bool { return len(n.names) == 0 }

// Has reports whether a name is one of them, in any spelling.
func (n *Names) Has(name string) bool {
	if n.lengths&(1<<(len(name)%64)) == 0 {
		return false
	}
	for _, own := range n.names {
		if len(own) > len(name) {
			return false
		}
		if SameHeader(own, name) {
			return true
		}
	}
	return false
}

// Without returns the names that are not among others.
func (n *Names) Without(others *Names) Names {
	if !slices.ContainsFunc(n.names, func(name string) bool { return !others.Has(name) }) {
		return Names{}
	}
	return NamesOf(slices.DeleteFunc(slices.Clone(n.names), others.Has)...)
}

// Overlaps reports whether a name of the others is one of these.
func (n *Names) Overlaps(others *Names) bool {
	return slices.ContainsFunc(others.names, n.Has)
}

// TakeOut deletes the names from a request: from its header and its trailers, and
// from `Connection`. A proxy drops what the client's Connection header names
// (RFC 9110 §7.6.1): it must not name what we set.
func (n *Names) TakeOut(r *http.Request) {
	if len(n.names) == 0 {
		return
	}
	for name := range r.Header {
		if n.Has(name) {
			delete(r.Header, name)
		}
	}
	n.guardTrailers(r)
	n.cleanConnection(r.Header)
}

func (n *Names) cleanConnection(h http.Header) {
	lines := h["Connection"]
	if len(lines) == 0 || len(lines) == 1 && strings.EqualFold(lines[0], "keep-alive") {
		return
	}
	var kept []string
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.TrimSpace(option); option != "" && !n.Has(option) {
				kept = append(kept, option)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

// guardTrailers keeps the names out of the trailers, also those that come
// without having been announced: net/http puts them into the map that it has
// made of the announced ones. They arrive with the end of the body.
func (n *Names) guardTrailers(r *http.Request) {
	if r.Trailer == nil {
		return
	}
	arriving := r.Trailer
	r.Trailer = make(http.Header, len(arriving))
	n.copyOthers(r.Trailer, arriving)
	if r.Body != nil {
		r.Body = &trailerBody{ReadCloser: r.Body, names: n, from: arriving, to: r.Trailer}
	}
}

func (n *Names) copyOthers(to, from http.Header) {
	for name, values := range from {
		if !n.Has(name) {
			to[name] = values
		}
	}
}

// trailerBody is the body of a request whose trailers are looked at.
type trailerBody struct {
	io.ReadCloser

	names    *Names
	from, to http.Header
}

// Read reads the body; at its end the trailers are there.
func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.names.copyOthers(b.to, b.from)
	}
	return n, err
}
