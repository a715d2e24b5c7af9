package handler

import (
	"io"
	"net/http"
	"slices"
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

// corsWriter puts our CORS headers in the place of those that a handler behind
// it has set, so that no answer has two. See Guard.Check.
type corsWriter struct {
	http.ResponseWriter

	origin string
	done   bool
}

// WriteHeader sets the headers and goes on.
func (w *corsWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.apply()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sets the headers, where WriteHeader was not called, and goes on.
func (w *corsWriter) Write(b []byte) (int, error) {
	w.apply()
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets a file server's copy reach the connection in one system call.
func (w *corsWriter) ReadFrom(r io.Reader) (int64, error) {
	w.apply()
	return io.Copy(w.ResponseWriter, r)
}

// FlushError makes http.ResponseController's Flush see the headers.
func (w *corsWriter) FlushError() error {
	w.apply()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for callers that ask for an http.Flusher.
func (w *corsWriter) Flush() { _ = w.FlushError() }

// Unwrap is how http.ResponseController finds what else the writer can do.
func (w *corsWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *corsWriter) apply() {
	if w.done {
		return
	}
	w.done = true
	allowOrigin(w.Header(), w.origin)
}

// allowOrigin lets one origin read an answer, whatever stood there before.
func allowOrigin(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	if h.Get("Access-Control-Expose-Headers") == "" {
		h.Set("Access-Control-Expose-Headers", corsExposeHeaders)
	}
	varyOrigin(h)
}

// varyOrigin tells caches that the answer depends on the origin.
func varyOrigin(h http.Header) {
	for _, line := range h["Vary"] {
		if slices.ContainsFunc(strings.Split(line, ","), func(s string) bool {
			return strings.EqualFold(strings.TrimSpace(s), "Origin")
		}) {
			return
		}
	}
	h["Vary"] = append(h["Vary"], "Origin")
}
