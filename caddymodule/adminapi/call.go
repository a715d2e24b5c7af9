package adminapi

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// call is one request.
type call struct {
	*http.Request
	name   string      // the parameter in the path
	event  oauth.Event // what the audit says beside the action
	w      http.ResponseWriter
	stream *lineStream // nil until the answer is one
	sent   bool        // the answer is written
	strict bool        // force=true is for something else than names that nobody knows
	dry    bool        // nothing is done, so there is nothing for the audit
}

// get returns a parameter of the query.
func (c *call) get(name string) string { return c.URL.Query().Get(name) }

// yes reports whether a parameter says true.
func (c *call) yes(name string) (bool, error) {
	value := c.get(name)
	if value != "" && value != "true" {
		return false, badRequest("%s: write true, or leave it out", name)
	}
	return value == "true", nil
}

// auditContext tells the audit who asks: as far as that is known, an address.
func auditContext(r *http.Request) context.Context {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ctx := context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	return context.WithValue(ctx, caddyhttp.VarsCtxKey, map[string]any{caddyhttp.ClientIPVarKey: host})
}

// patient lets an answer take as long as it must: the server's limit for
// reading a request would end this one's context.
func (c *call) patient() {
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
}

// prepare makes room for an answer of many lines, however long it takes.
func (c *call) prepare() {
	c.patient()
	c.w.Header().Set("Content-Type", StreamType)
	c.w.Header().Set("Cache-Control", "no-store")
}

// begin makes the answer a stream.
func (c *call) begin() *lineStream {
	c.prepare()
	c.stream = &lineStream{w: c.w, out: json.NewEncoder(c.w), flushed: time.Now()}
	return c.stream
}

// StreamType is the media type of an answer that is a stream.
const StreamType = "application/x-ndjson"

// Line is a line of an answer that is a stream; one member is there.
type Line struct {
	Grant    *Grant          `json:"grant"`
	User     *User           `json:"user"`
	Progress json.RawMessage `json:"progress"`
	Done     json.RawMessage `json:"done"`
	Error    string          `json:"error"`
}

// flushEvery is how long lines of a stream wait at most for company.
const flushEvery = 200 * time.Millisecond

// lineStream is an answer of many lines.
type lineStream struct {
	w       http.ResponseWriter
	out     *json.Encoder
	flushed time.Time
}

// line writes one object with one member.
func (s *lineStream) line(name string, value any) error {
	if err := s.out.Encode(map[string]any{name: value}); err != nil {
		return err
	}
	if now := time.Now(); now.Sub(s.flushed) >= flushEvery {
		s.flushed = now
		_ = http.NewResponseController(s.w).Flush()
	}
	return nil
}

// progress writes a line if the last one was some time ago.
func (s *lineStream) progress(value any) {
	if time.Since(s.flushed) >= flushEvery {
		_ = s.line("progress", value)
	}
}

// end writes the last line. It returns no error: the status is written.
func (s *lineStream) end(answer any, err error) error {
	if err != nil {
		return s.line("error", err.Error())
	}
	return s.line("done", answer)
}
