package guard

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// documentParameter returns the challenge parameter that names the document. See RFC 9728 §5.1.
func (g *Guard) documentParameter(r *http.Request) string {
	u := g.resource.urlFor(g.cfg.Path(r))
	if u == "" {
		u = oauth.OriginOf(g.cfg.ClientOrigin(r)) + g.resource.path
	}
	return `, resource_metadata="` + wire.Quotable(u) + `"`
}

// ServesMetadata reports whether Metadata belongs at a request path.
func (g *Guard) ServesMetadata(path string) bool { return g.resource.serves(path) }

// DocumentPlace returns the host and path at which clients look for the
// document, as they derive them from the audience; "" for an audience that is no URL.
// See RFC 9728 §3.1.
func (g *Guard) DocumentPlace() string {
	_, host, _ := strings.Cut(oauth.OriginOf(g.cfg.Audience[0]), "://")
	if host == "" {
		return ""
	}
	return host + g.resource.path
}

// Metadata serves the document of RFC 9728 §3. Anyone may read it.
func (g *Guard) Metadata(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch {
	case wire.IsPreflight(r):
		wire.WritePreflight(h, r, http.MethodGet+", "+http.MethodHead)
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", http.MethodGet+", "+http.MethodHead)
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		wire.WritePublic(w, g.resource.at(g.cfg.Path(r)))
	}
}
