package dpop

import (
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// proofURLMatches reports whether the htu of a proof is one of a request's
// URLs. A query and a fragment are ignored on both sides, although a client
// should send none; both are normalized by syntax and scheme first
// (RFC 9449 §4.3 (9), RFC 3986 §6.2.2 and §6.2.3).
func proofURLMatches(htu string, urls []string) bool {
	htu = withoutQuery(htu)
	normal, parsed := "", false
	for _, u := range urls {
		u = withoutQuery(u)
		if u == htu && u != "" {
			return true
		}
		if !parsed {
			normal, parsed = normalURL(htu), true
		}
		if normal != "" && normalURL(u) == normal {
			return true
		}
	}
	return false
}

// withoutQuery returns a URL without its query and its fragment.
func withoutQuery(u string) string {
	if end := strings.IndexAny(u, "?#"); end >= 0 {
		return u[:end]
	}
	return u
}

// normalURL returns the one spelling of an http or https URL without query and
// fragment, or "" for any other text.
func normalURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" {
		return ""
	}
	origin := oauth.OriginOf(text)
	if origin == "" {
		return ""
	}
	origin = strings.TrimSuffix(origin, ":") // an empty port is none
	return origin + withoutDots(normalEscapes(u.EscapedPath()))
}

// normalEscapes decodes what needs no percent sign and writes the rest in
// upper case. See RFC 3986 §6.2.2.1 and §6.2.2.2.
func normalEscapes(path string) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		c, err := url.PathUnescape(path[i : i+3])
		if err == nil && oauth.Unreserved(c, true) {
			b.WriteString(c)
		} else {
			b.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

// withoutDots removes the segments "." and "..", and leaves empty ones, which
// path.Clean would not. See RFC 3986 §5.2.4.
func withoutDots(path string) string {
	if path == "" {
		return "/"
	}
	if !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		case ".":
		default:
			kept = append(kept, s)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}
