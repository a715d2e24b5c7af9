package wire

import (
	"cmp"
	"net/http"
	"strings"
)

// The headers of CORS and what they say.
const (
	allowHeaders  = "Authorization, Content-Type, Auth0-Client, DPoP, MCP-Protocol-Version"
	ExposeHeaders = "WWW-Authenticate, Retry-After, DPoP-Nonce"
	// preflightMaxAge is how long a browser may keep a preflight's answer, in
	// seconds. Browsers cut it to their own limit (2 to 24 hours).
	preflightMaxAge = "86400"
	// AllowCredentials lets a page read answers to requests that carry cookies.
	AllowCredentials = "Access-Control-Allow-Credentials"
)

// WritePreflight adds what a browser asks before a request, where the origin is allowed:
// that may send any header, such as those by which SDKs trace requests. None that
// means something to us can be sent by a page that may not.
func WritePreflight(h http.Header, r *http.Request, methods string) {
	if h.Get("Access-Control-Allow-Origin") == "" {
		return
	}
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", cmp.Or(r.Header.Get("Access-Control-Request-Headers"), allowHeaders))
	h.Set("Access-Control-Max-Age", preflightMaxAge)
}

// IsPreflight reports whether r is a browser's question and not the request
// itself. See the Fetch standard, CORS-preflight request.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// RequestOrigin returns the request's origin, and whether it has exactly one that
// can be registered: never the opaque "null", which any page can have.
func RequestOrigin(r *http.Request) (string, bool) {
	values := r.Header["Origin"]
	if len(values) != 1 || values[0] == "null" || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// AllowOrigin lets one origin read an answer, whatever stood there before, and with credentials
// also the answer to a request that carries cookies; without them never, though an upstream had
// said so to another origin. Of the headers it may read those that we
// set, and more. See the Fetch standard, CORS protocol.
func AllowOrigin(h http.Header, origin string, credentials bool, more ...string) {
	h.Set("Access-Control-Allow-Origin", origin)
	if credentials {
		h.Set(AllowCredentials, "true")
	} else {
		h.Del(AllowCredentials)
	}
	if exposed := h.Get("Access-Control-Expose-Headers"); exposed == "" || credentials && exposed == "*" { // which means "*" alone then
		h.Set("Access-Control-Expose-Headers", ExposeHeaders)
	}
	if len(more) > 0 && h.Get("Access-Control-Expose-Headers") != "*" {
		for _, name := range append([]string{ChallengeHeader}, more...) {
			if exposed := h.Get("Access-Control-Expose-Headers"); !strings.Contains(strings.ToLower(exposed), strings.ToLower(name)) {
				h.Set("Access-Control-Expose-Headers", exposed+", "+name)
			}
		}
	}
	Vary(h, "Origin")
}
