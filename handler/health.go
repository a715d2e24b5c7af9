package handler

import (
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// healthRetry is when it is worth asking again: background work looks each second.
const healthRetry = 2 * time.Second

// health tells a load balancer whether this gateway should get requests. It
// says what background work has last found out and asks nobody: anybody may
// send this request as often as they like. So the reason is one of
// oauth.Trouble and nothing more.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	wire.NoStore(h)
	status, text := http.StatusOK, "ok"
	if trouble := s.Health(); trouble != "" {
		status, text = http.StatusServiceUnavailable, string(trouble)
		h.Set("Retry-After", wire.RetryAfter(healthRetry))
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
	return nil
}
