package guard

import (
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/identity"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// cors sets the CORS headers, and answers a preflight itself, reporting true.
// Otherwise it notes what the answer of the next handler has to say: an origin
// that is allowed is told so in the place of the upstream's own header.
//
// A guard that takes tokens from a cookie allows credentials, for else no page of
// another origin could use it, and takes back what an upstream allows to others.
func (g *Guard) cors(w http.ResponseWriter, answer *answer, r *http.Request) (answered bool) {
	h := w.Header()
	wire.Vary(h, "Origin")
	if len(r.Header["Origin"]) == 0 {
		return false
	}
	credentials := g.cfg.Cookie != ""
	origin, one := wire.RequestOrigin(r)
	allowed := one && g.cfg.Origins(origin)
	if allowed {
		wire.AllowOrigin(h, origin, credentials, g.exposed()...)
	}
	if wire.IsPreflight(r) {
		if allowed {
			// The browser names what it wants: any method and header is the
			// upstream's to judge, behind the token.
			wire.WritePreflight(h, r, r.Header.Get("Access-Control-Request-Method"))
		}
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	if allowed {
		answer.origin, answer.credentials, answer.expose = origin, credentials, g.exposed()
	}
	answer.foreign = !allowed && (credentials || g.cfg.MCP)
	return false
}

// exposed are the headers of an upstream that scripts read. See the MCP transports.
func (g *Guard) exposed() []string {
	if g.cfg.MCP {
		return []string{"Mcp-Session-Id"}
	}
	return nil
}

// browserPreflight reports whether r is a preflight as browsers send it, and can be
// nothing else to an upstream that judges it: one Origin, one method asked for,
// no body, no token, no upgrade, and no header that makes it another method.
// See the Fetch standard, CORS-preflight fetch.
func (g *Guard) browserPreflight(r *http.Request) bool {
	if !wire.IsPreflight(r) || len(r.Header["Origin"]) != 1 || len(r.Header["Access-Control-Request-Method"]) != 1 || r.ContentLength != 0 {
		return false
	}
	for name := range r.Header {
		if notOfPreflights.Has(name) {
			return false
		}
	}
	if g.cfg.Cookie == "" {
		return true
	}
	_, err := presentedCookie(r, g.cfg.Cookie)
	return errors.Is(err, wire.ErrNoToken)
}

// notOfPreflights are headers that no browser sends with a preflight, and that
// could make another request of it for an upstream.
var notOfPreflights = identity.NamesOf("Authorization", wire.ProofHeader, "Upgrade", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
