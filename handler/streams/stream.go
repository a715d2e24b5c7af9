package streams

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// stream is a request that is under way, and its context: one that nobody waits for
// until somebody asks for Done. Most requests are over before.
type stream struct {
	context.Context //nolint:containedctx // it is a context itself

	writer http.ResponseWriter
	grant  Grant

	mu     sync.Mutex
	inner  atomic.Pointer[context.Context]
	cancel context.CancelFunc // of inner
	ended  bool

	// Of the shard, under its lock.
	before, after *stream
	told, cut     bool
}

// Done is closed when the request has ended or was ended.
func (s *stream) Done() <-chan struct{} { return s.waitable().Done() }

// Err is context.Canceled once the request was ended, which is what those who serve it
// know: to a proxy another error would be the fault of its upstream.
func (s *stream) Err() error { return s.waitable().Err() }

// Value finds the inner context, too, so that contexts that are made from this one hear
// of its end without a goroutine for each.
func (s *stream) Value(key any) any {
	if inner := s.inner.Load(); inner != nil {
		return (*inner).Value(key)
	}
	return s.Context.Value(key)
}

// waitable returns the context that is waited for, and makes it.
func (s *stream) waitable() context.Context {
	if inner := s.inner.Load(); inner != nil {
		return *inner
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if inner := s.inner.Load(); inner != nil {
		return *inner
	}
	inner, cancel := context.WithCancel(s.Context)
	s.cancel = cancel
	if s.ended {
		cancel()
	}
	s.inner.Store(&inner)
	return inner
}

// end cancels the context.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.cancel != nil {
		s.cancel()
	}
}

// shard is one part of the requests that are under way.
type shard struct {
	mu    sync.Mutex
	first *stream
	_     [48]byte // the next one is on another line of memory
}

func (h *shard) add(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.after = h.first; s.after != nil {
		s.after.before = s
	}
	h.first = s
}

// remove takes a request out that is over, and reports whether it was ended.
func (h *shard) remove(s *stream) (ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.after != nil {
		s.after.before = s.before
	}
	if s.before != nil {
		s.before.after = s.after
	} else {
		h.first = s.after
	}
	s.writer = nil // it is over
	return s.told
}

func (h *shard) list(all []found) []found {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := h.first; s != nil; s = s.after {
		all = append(all, found{h, s})
	}
	return all
}

// end ends a request that is not over, and reports whether it was the first to do so. A
// second call cuts the answer off: what writes it has not listened, as a file server.
// That is no part of the first, which leaves a handler the time to say what it has to.
func (h *shard) end(s *stream) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case s.writer == nil:
		return false
	case !s.told:
		s.told = true
		s.end()
		return true
	}
	s.cut = http.NewResponseController(innermost(s.writer)).SetWriteDeadline(time.Unix(1, 0)) == nil
	return false
}

// innermost is the writer of the server itself, whose deadline may be set while somebody writes:
// those around it may keep deadlines of their own, for the one who writes alone. What they set
// again before the next piece is overruled at the next look.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = inner.Unwrap()
	}
}

func (h *shard) wasCut(s *stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.cut
}
