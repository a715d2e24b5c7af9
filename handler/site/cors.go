package site

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// cors lets pages of Config.AllowOrigins read the answer, and answers their preflights, reporting
// true: a preflight carries no cookie, and goes to no upstream. See the Fetch standard, CORS protocol.
func (g *Guard) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(g.cfg.AllowOrigins) == 0 {
		return false
	}
	h := w.Header()
	wire.Vary(h, "Origin")
	if len(r.Header["Origin"]) == 0 || !sentByPagesOf(r, g.cfg.AllowOrigins) {
		return false
	}
	wire.AllowOrigin(h, r.Header.Get("Origin"), true)
	if !wire.IsPreflight(r) {
		return false
	}
	wire.WritePreflight(h, r, r.Header.Get("Access-Control-Request-Method"))
	w.WriteHeader(http.StatusNoContent)
	return true
}

// finisher completes the header of an answer of the upstream to somebody in particular.
type finisher struct {
	origin    string // that may read it; "" for none but the site's own
	vary      bool   // it is another one for another origin
	keepCache bool
}

// writer returns what the next handler must write to.
func (g *Guard) writer(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	f := finisher{vary: len(g.cfg.AllowOrigins) > 0, keepCache: g.cfg.KeepCache}
	if f.vary && len(r.Header["Origin"]) > 0 && sentByPagesOf(r, g.cfg.AllowOrigins) {
		f.origin = r.Header.Get("Origin")
	}
	if f.keepCache && !f.vary {
		return w
	}
	return &wire.FinishingWriter[finisher]{ResponseWriter: w, Finisher: f}
}

// Finish completes the header. It adds no `Vary: Cookie`: the browser's own cache would be lost
// with each cookie of the application.
func (f finisher) Finish(h http.Header) {
	if !f.keepCache {
		wire.KeepPrivate(h)
	}
	if f.vary {
		wire.Vary(h, "Origin")
	}
	if f.origin != "" {
		wire.AllowOrigin(h, f.origin, true)
	}
}
