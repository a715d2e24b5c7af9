package handler

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// ResourceMetadataPath is where a Guard's metadata document is; for an
// audience with a path, that path follows. See RFC 9728 §3.1.
const ResourceMetadataPath = "/.well-known/oauth-protected-resource"

// resource is a protected resource as others see it.
type resource struct {
	path     string // of its document
	url      string // of its document; "" is path at the request's host
	document []byte
}

// resourceDocument is the metadata of RFC 9728 §2.
type resourceDocument struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Scopes               []string `json:"scopes_supported,omitempty"`
}

func newResource(cfg GuardConfig) (resource, error) {
	res := resource{path: ResourceMetadataPath, url: cfg.MetadataURL}
	if origin := tokens.OriginOf(cfg.Audience[0]); origin != "" {
		u, err := url.Parse(cfg.Audience[0])
		if err != nil {
			return res, fmt.Errorf("reading audience: %w", err)
		}
		// Between host and path, without a slash at the end (§3.1).
		res.path += strings.TrimSuffix(u.EscapedPath(), "/")
		if res.url == "" {
			res.url = origin + res.path
		}
	}
	servers := cfg.Servers
	if len(servers) == 0 {
		servers = []string{cfg.IssuerURL}
	}
	b, err := json.MarshalIndent(resourceDocument{
		Resource:             cfg.Audience[0],
		AuthorizationServers: servers,
		BearerMethods:        []string{"header"},
		Scopes:               slices.Concat(cfg.Scopes, cfg.ScopeAny),
	}, "", "  ")
	res.document = append(b, '\n')
	return res, err
}

// serves reports whether a request path is that of the document.
func (res *resource) serves(path string) bool {
	return strings.HasPrefix(path, ResourceMetadataPath) && (path == res.path || path == ResourceMetadataPath)
}

// parameter returns the challenge parameter that names the document. See RFC 9728 §5.1.
func (res *resource) parameter(r *http.Request) string {
	u := res.url
	if u == "" {
		u = sameHost(r) + res.path
	}
	return `, resource_metadata="` + quotable(u) + `"`
}

// ServesMetadata reports whether Metadata belongs at a request path.
func (g *Guard) ServesMetadata(path string) bool { return g.resource.serves(path) }

// Metadata serves the document of RFC 9728 §3. Anyone may read it.
func (g *Guard) Metadata(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch {
	case preflight(r):
		writePreflight(h, http.MethodGet+", "+http.MethodHead)
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", http.MethodGet+", "+http.MethodHead)
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		writePublic(w, g.resource.document)
	}
}
