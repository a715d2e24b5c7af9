package wire

import (
	"net/http"
	"strings"
)

// LoadedAhead reports whether a browser asks for a page that nobody has opened yet: it may
// guess wrong, so that nothing may come of it. See https://wicg.github.io/nav-speculation/prefetch.html
// (Sec-Purpose).
func LoadedAhead(h http.Header) bool {
	return strings.Contains(h.Get("Sec-Purpose"), "prefetch") || strings.EqualFold(h.Get("Purpose"), "prefetch") || h.Get("X-Moz") == "prefetch"
}
