package adminapi

import (
	"io"
	"net/url"

	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/tokens/transfer"
)

// export writes the export as the answer. When it breaks off, its last line is
// missing, without which nothing reads it.
func (a *API) export(c *call) (any, error) {
	c.prepare()
	out := &countingWriter{to: c.w}
	counts, err := transfer.WriteExport(c.Context(), a.State.Store, out, nil)
	if err != nil && out.written == 0 {
		return nil, err
	}
	c.sent = true
	if err != nil {
		a.Log.Error("the export was cut short", zap.Error(err))
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

// Resumed answers DELETE /oauth/export.
type Resumed struct {
	Stopped bool `json:"stopped"` // it was until now
}

func (a *API) undoExport(c *call) (any, error) {
	was, err := a.State.Store.Resume(c.Context())
	return Resumed{was}, err
}

func showResumed(p *Printer, _ url.Values, r Resumed) {
	if r.Stopped {
		p.Printf("the store is in use again; discard the export\n")
		return
	}
	p.Printf("the store had not been stopped\n")
}
