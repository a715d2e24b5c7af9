package caddymodule

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// unhandledVar is the variable that Caddy sets on requests that came to the end
// of a site's handlers.
const unhandledVar = "unhandled"

// passOn lets the rest of the site answer. What came to its end without an answer
// would be an empty 200: it gets a page of ours, a 404 but for the issuer's own
// address. Calls of an API, which bring a token, go on as they are.
func (s *OAuthServer) passOn(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if len(r.Header["Authorization"]) > 0 {
		return next.ServeHTTP(w, r)
	}
	a := &answering{ResponseWriter: w}
	err := next.ServeHTTP(a, r)
	if unhandled, _ := caddyhttp.GetVar(r.Context(), unhandledVar).(bool); err != nil || !unhandled || a.begun {
		return err
	}
	caddyhttp.SetVar(r.Context(), unhandledVar, false)
	s.server.ServeNothing(w, r)
	return nil
}

// answering notes whether a handler has begun its answer.
type answering struct {
	http.ResponseWriter

	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (a *answering) WriteHeader(status int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answering) Write(b []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(b)
}

// ReadFrom implements io.ReaderFrom, by which files are sent.
func (a *answering) ReadFrom(r io.Reader) (int64, error) {
	a.begun = true
	return io.Copy(a.ResponseWriter, r)
}

// Flush implements http.Flusher.
func (a *answering) Flush() {
	a.begun = true
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker.
func (a *answering) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begun = true
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController find the rest.
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }
