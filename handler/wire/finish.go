package wire

import (
	"io"
	"net/http"
)

// Finisher completes the header of an answer that another handler has written.
type Finisher interface{ Finish(h http.Header) }

// FinishingWriter lets a Finisher complete the header of an answer, once, before it goes out.
type FinishingWriter[F Finisher] struct {
	http.ResponseWriter

	Finisher F
	done     bool
}

// WriteHeader finishes the header and goes on.
func (w *FinishingWriter[F]) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.finish()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write finishes the header, where WriteHeader was not called, and goes on.
func (w *FinishingWriter[F]) Write(b []byte) (int, error) {
	w.finish()
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets a file server's copy reach the connection in one system call.
func (w *FinishingWriter[F]) ReadFrom(r io.Reader) (int64, error) {
	w.finish()
	return io.Copy(w.ResponseWriter, r)
}

// FlushError makes http.ResponseController's Flush see the header.
func (w *FinishingWriter[F]) FlushError() error {
	w.finish()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for callers that ask for an http.Flusher.
func (w *FinishingWriter[F]) Flush() { _ = w.FlushError() }

// Unwrap is how http.ResponseController finds what else the writer can do.
func (w *FinishingWriter[F]) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *FinishingWriter[F]) finish() {
	if !w.done {
		w.done = true
		w.Finisher.Finish(w.Header())
	}
}
