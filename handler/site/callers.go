package site

import (
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// callers are origins whose pages may send requests in the name of who is signed in, and read
// the answers, as pages of the site's own may.
type callers []string

// sent reports whether a page of one of them has sent a request: it says so in Origin, or where
// browsers send none, for frames and images, in Referer.
func (c callers) sent(r *http.Request) bool {
	if len(r.Header["Origin"]) > 0 {
		return c.reads(r)
	}
	referer := r.Header["Referer"]
	return len(c) > 0 && isSafe(r) && len(referer) == 1 && slices.Contains(c, oauth.OriginOf(referer[0]))
}

// reads reports whether the page that has sent a request may read the answer.
func (c callers) reads(r *http.Request) bool {
	origin, one := wire.RequestOrigin(r)
	return one && slices.Contains(c, origin)
}

// cors lets them read the answer, and answers their preflights, reporting true: a preflight
// carries no cookie, and goes to no upstream. See the Fetch standard, CORS protocol.
func (c callers) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(c) == 0 {
		return false
	}
	h := w.Header()
	wire.Vary(h, "Origin")
	if !c.reads(r) {
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

// finishing returns what the next handler must write to.
func (c callers) finishing(w http.ResponseWriter, r *http.Request, keepCache bool) http.ResponseWriter {
	f := finisher{vary: len(c) > 0, keepCache: keepCache}
	if c.reads(r) {
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
