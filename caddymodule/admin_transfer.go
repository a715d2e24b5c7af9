package caddymodule

import (
	"io"
	"net/url"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// export writes the export as the answer. When it breaks off, its last line is
// missing, without which nothing reads it.
func (a *adminAPI) export(c *adminCall) (any, error) {
	c.prepare()
	out := &countingWriter{to: c.w}
	counts, err := tokens.WriteExport(c.Context(), a.State.Store, out, nil)
	if err != nil && out.written == 0 {
		return nil, coreError(err)
	}
	c.sent = true
	if err != nil {
		a.Log.Error("the export has broken off", zap.Error(err))
	}
	return counts, err
}

// countingWriter knows whether an answer has begun.
type countingWriter struct {
	to      io.Writer
	written int64
}

// Write implements io.Writer.
func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.to.Write(b)
	w.written += int64(n)
	return n, err
}

// resumed answers DELETE /oauth/export.
type resumed struct {
	Stopped bool `json:"stopped"` // it was until now
}

func (a *adminAPI) undoExport(c *adminCall) (any, error) {
	was, err := a.State.Store.Resume(c.Context())
	if err != nil {
		return nil, coreError(err)
	}
	return resumed{was}, nil
}

func showResumed(p *printer, _ url.Values, r resumed) {
	if r.Stopped {
		p.Printf("the store goes on; throw the export away\n")
		return
	}
	p.Printf("the store had not been stopped\n")
}
