package guard

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// answer is what the guard has to say about the answer of the handler behind it: CORS is
// the guard's to say where it is on, and what a cookie has opened is nothing for a shared
// cache. See Guard.Check.
type answer struct {
	origin      string   // that may read the answer; "" for none
	credentials bool     // it may also where the request carries cookies
	expose      []string // headers of the answer that the origin may read, beside ours
	foreign     bool     // another origin asks: it never reads what cookies have opened
	carrier     string   // the header that the token came in, where caches do not know it for one; "" for Authorization
}

// writer returns what the next handler must write to: the writer itself, where
// nothing is to be finished.
func (a answer) writer(w http.ResponseWriter) http.ResponseWriter {
	if a.origin == "" && !a.foreign && a.carrier == "" {
		return w
	}
	return &wire.FinishingWriter[answer]{ResponseWriter: w, Finisher: a}
}

// Finish completes the header.
func (a answer) Finish(h http.Header) {
	if a.origin != "" {
		wire.AllowOrigin(h, a.origin, a.credentials, a.expose...)
	}
	if a.foreign {
		h.Del(wire.AllowCredentials)
	}
	if a.carrier != "" {
		keepPrivate(h, a.carrier)
	}
}

// keepPrivate makes an answer one for the bearer of what came in a header alone.
func keepPrivate(h http.Header, carrier string) {
	wire.Vary(h, carrier)
	wire.KeepPrivate(h)
}
