package handler

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

const (
	corsAllowHeaders  = "Authorization, Content-Type, Auth0-Client, DPoP, MCP-Protocol-Version"
	corsExposeHeaders = "WWW-Authenticate, Retry-After, DPoP-Nonce"
	// corsMaxAge is how long a browser may keep a preflight's answer, in
	// seconds. Browsers cut it to their own limit (2 to 24 hours).
	corsMaxAge = "86400"
	// corsCredentials lets a page read answers to requests that carry cookies.
	corsCredentials = "Access-Control-Allow-Credentials"
)

// cors sets the headers by which browsers let other origins read an answer,
// and answers a preflight itself, reporting true.
//
// Until the client is known the registered origins of all clients count: a
// preflight names no client, and an error that a page cannot read looks to it
// like a broken network. narrowOrigin then keeps the client's own.
func (s *Server) cors(w http.ResponseWriter, r *http.Request, e *endpoint) bool {
	h := w.Header()
	origin, one := originOf(r)
	if e.cors == corsAny {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Add("Vary", "Origin")
		if one && s.origins[origin] {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", corsExposeHeaders)
			if e.cors == corsCookie && s.cookieOrigins[origin] {
				h.Set(corsCredentials, "true")
			}
		}
	}
	if !preflight(r) {
		return false
	}
	writePreflight(h, strings.Join(e.methods, ", "))
	w.WriteHeader(http.StatusNoContent)
	return true
}

// narrowOrigin takes the permission back where the origin is another client's,
// and that for cookies where this client has none.
func narrowOrigin(w http.ResponseWriter, c *tokens.Client) {
	h := w.Header()
	if !c.Refresh.Cookie {
		h.Del(corsCredentials)
	}
	if origin := h.Get("Access-Control-Allow-Origin"); origin != "" && !c.HasOrigin(origin) {
		h.Del("Access-Control-Allow-Origin")
		h.Del("Access-Control-Expose-Headers")
		h.Del(corsCredentials)
	}
}

// writePreflight adds what a browser asks before a request, where the origin is allowed.
func writePreflight(h http.Header, methods string) {
	if h.Get("Access-Control-Allow-Origin") == "" {
		return
	}
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", corsAllowHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
}

// preflight reports whether r is a browser's question and not the request
// itself. See the Fetch standard, CORS-preflight request.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// originOf returns the request's origin, and whether it has exactly one that
// can be registered: never the opaque "null", which any page can have.
func originOf(r *http.Request) (string, bool) {
	values := r.Header["Origin"]
	if len(values) != 1 || values[0] == "null" || values[0] == "" {
		return "", false
	}
	return values[0], true
}
