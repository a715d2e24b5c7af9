package wire

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// MaxBody is the most that a request body may hold, in bytes.
const MaxBody = 64 << 10

// BodyTime is how long a request body may take to arrive: 3 KB a second, and
// ordinary ones are smaller than that.
const BodyTime = 20 * time.Second

// ErrSlowBody is a body that did not arrive in time.
var ErrSlowBody = errors.New("reading body: it took too long to arrive")

// BoundBody bounds the size of a request's body and the time that it may take
// to arrive, 0 for 20 s, from now on: also where nobody reads it, since the
// server does so before it answers. What comes later than that is an error of
// os.ErrDeadlineExceeded. The first call for a request counts. The deadline ends with the body, so that neither the
// answer nor the next request on the connection is cut.
func BoundBody(w http.ResponseWriter, r *http.Request, within time.Duration) {
	if _, bound := r.Body.(*boundBody); bound || r.Body == nil || r.Body == http.NoBody {
		return
	}
	if within <= 0 {
		within = BodyTime
	}
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.ReadTimeout > 0 {
		within = min(within, server.ReadTimeout) // the operator's own, which our deadline takes the place of
	}
	b := &boundBody{control: http.NewResponseController(w), until: time.Now().Add(within)}
	// A writer that cannot set it leaves the clock of Read.
	_ = b.control.SetReadDeadline(b.until)
	b.ReadCloser = http.MaxBytesReader(w, r.Body, MaxBody)
	r.Body = b
}

// boundBody is a body that has to arrive in time.
type boundBody struct {
	io.ReadCloser

	control *http.ResponseController
	until   time.Time
}

func (b *boundBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		_ = b.control.SetReadDeadline(time.Time{})
	case err == nil && time.Now().After(b.until):
		err = os.ErrDeadlineExceeded
	}
	return n, err
}
