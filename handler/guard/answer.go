package guard

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// answerWriter finishes the header of an answer when the handler behind the
// guard has written it: CORS is the guard's to say where it is on, and what a
// cookie has opened is nothing for a shared cache. See Guard.Check.
type answerWriter struct {
	http.ResponseWriter

	origin      string   // that may read the answer; "" for none
	credentials bool     // it may also where the request carries cookies
	foreign     bool     // another origin asks: it never reads what cookies have opened
	expose      []string // headers of the answer that the origin may read, beside ours
	carrier     string   // the header that the token came in, where caches do not know it for one; "" for Authorization
	done        bool
}

// orWriter returns what the next handler must write to: the writer itself, where
// nothing is to be finished.
func (w *answerWriter) orWriter() http.ResponseWriter {
	if w.origin == "" && !w.foreign && w.carrier == "" {
		return w.ResponseWriter
	}
	finish := *w
	return &finish
}

// WriteHeader finishes the header and goes on.
func (w *answerWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.apply()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write finishes the header, where WriteHeader was not called, and goes on.
func (w *answerWriter) Write(b []byte) (int, error) {
	w.apply()
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets a file server's copy reach the connection in one system call.
func (w *answerWriter) ReadFrom(r io.Reader) (int64, error) {
	w.apply()
	return io.Copy(w.ResponseWriter, r)
}

// FlushError makes http.ResponseController's Flush see the header.
func (w *answerWriter) FlushError() error {
	w.apply()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for callers that ask for an http.Flusher.
func (w *answerWriter) Flush() { _ = w.FlushError() }

// Unwrap is how http.ResponseController finds what else the writer can do.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *answerWriter) apply() {
	if w.done {
		return
	}
	w.done = true
	h := w.Header()
	if w.origin != "" {
		allowOrigin(h, w.origin, w.credentials, w.expose...)
	}
	if w.foreign {
		h.Del(wire.AllowCredentials)
	}
	if w.carrier != "" {
		keepPrivate(h, w.carrier)
	}
}

// allowOrigin lets one origin read an answer, whatever stood there before.
func allowOrigin(h http.Header, origin string, credentials bool, more ...string) {
	h.Set("Access-Control-Allow-Origin", origin)
	if credentials {
		h.Set(wire.AllowCredentials, "true")
	}
	if exposed := h.Get("Access-Control-Expose-Headers"); exposed == "" || credentials && exposed == "*" { // which means "*" alone then
		h.Set("Access-Control-Expose-Headers", wire.ExposeHeaders)
	}
	if len(more) > 0 && h.Get("Access-Control-Expose-Headers") != "*" {
		for _, name := range append([]string{wire.ChallengeHeader}, more...) {
			if exposed := h.Get("Access-Control-Expose-Headers"); !strings.Contains(strings.ToLower(exposed), strings.ToLower(name)) {
				h.Set("Access-Control-Expose-Headers", exposed+", "+name)
			}
		}
	}
	vary(h, "Origin")
}

// vary tells caches that the answer depends on a header of the request.
func vary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		if slices.ContainsFunc(strings.Split(line, ","), func(s string) bool {
			s = strings.TrimSpace(s)
			return s == "*" || strings.EqualFold(s, name)
		}) {
			return
		}
	}
	h["Vary"] = append(h["Vary"], name)
}

// keepPrivate makes an answer one that no shared cache keeps: to caches a request
// with a cookie, or with a header of somebody's own, is like any other (RFC 9111 §3.5 is
// about `Authorization` alone). What the answer says about the browser's own cache stays.
func keepPrivate(h http.Header, carrier string) {
	vary(h, carrier)
	closed := false
	var kept []string
	for _, line := range h["Cache-Control"] {
		for _, directive := range directives(line) {
			name, _, qualified := strings.Cut(strings.ToLower(directive), "=")
			switch strings.TrimSpace(name) {
			case "public", "s-maxage":
				continue
			case "private":
				if qualified { // about those fields alone (RFC 9111 §5.2.2.7)
					continue
				}
				closed = true
			case "no-store":
				closed = true
			}
			kept = append(kept, directive)
		}
	}
	if !closed {
		kept = append([]string{"private"}, kept...)
	}
	h["Cache-Control"] = []string{strings.Join(kept, ", ")}
	for name := range h { // these come before Cache-Control, where they are known (RFC 9213)
		if strings.HasSuffix(name, "-Cache-Control") || name == "Surrogate-Control" || name == "X-Accel-Expires" {
			delete(h, name)
		}
	}
}

// directives splits a line of Cache-Control. A comma between quotes is part of a
// value. See RFC 9111 §5.2.
func directives(line string) []string {
	quoted := false
	list := strings.FieldsFunc(line, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return c == ',' && !quoted
	})
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
