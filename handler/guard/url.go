package guard

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// requestURLs is what a request was sent to, as far as net/http knows.
func requestURLs(r *http.Request) []string { return []string{hostOrigin(r) + r.URL.EscapedPath()} }

// hostOrigin returns the origin that the request itself was sent to.
func hostOrigin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return oauth.OriginOf(scheme + "://" + r.Host)
}

// sameOrigin reports whether two texts name one origin. What names none is the
// same as nothing.
func sameOrigin(a, b string) bool {
	origin := oauth.OriginOf(a)
	return origin != "" && origin == oauth.OriginOf(b)
}
