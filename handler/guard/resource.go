package guard

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// MetadataPath is where a Guard's metadata document is; for an
// audience with a path, that path follows. See RFC 9728 §3.1.
const MetadataPath = "/.well-known/oauth-protected-resource"

// resource is a protected resource as others see it.
type resource struct {
	path     string // of its document
	url      string // of its document; "" is path at the request's host
	document []byte

	// With MCP each path below the audience has a document, which differs in that path alone.
	mcp    bool
	origin string
	about  resourceDocument
}

// resourceDocument is the metadata of RFC 9728 §2.
type resourceDocument struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Scopes               []string `json:"scopes_supported,omitempty"`
	ProofAlgs            []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPRequired         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
}

func newResource(cfg Config) (resource, error) {
	res := resource{path: MetadataPath, url: cfg.MetadataURL, mcp: cfg.MCP, origin: oauth.OriginOf(cfg.Audience[0])}
	if origin := oauth.OriginOf(cfg.Audience[0]); origin != "" {
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
	servers := slices.Clone(cfg.Servers)
	if len(servers) == 0 {
		servers = []string{cfg.IssuerURL}
	}
	// An issuer that is only a name cannot be asked for anything.
	servers = slices.DeleteFunc(servers, func(server string) bool { return oauth.OriginOf(server) == "" })
	var algs []string
	if cfg.Proofs != nil {
		algs = dpop.Algorithms()
	}
	res.about = resourceDocument{
		Resource:             cfg.Audience[0],
		AuthorizationServers: servers,
		BearerMethods:        []string{"header"},
		Scopes:               slices.Concat(cfg.Scopes, cfg.ScopeAny),
		ProofAlgs:            algs,
		DPoPRequired:         cfg.DPoPRequired,
	}
	var err error
	res.document, err = res.about.write()
	return res, err
}

func (d resourceDocument) write() ([]byte, error) {
	b, err := json.MarshalIndent(d, "", "  ")
	return append(b, '\n'), err
}

// below reports whether the path of a document is that of the audience's, or lies below it.
func (res *resource) below(path string) bool {
	rest, ok := strings.CutPrefix(path, res.path)
	return ok && (rest == "" || rest[0] == '/')
}

// at returns the document for the path that it was asked for at. Clients refuse one that
// names another resource than the address that they were given (RFC 9728 §3.3).
func (res *resource) at(path string) []byte {
	if !res.mcp || path == res.path || path == MetadataPath || !res.below(path) {
		return res.document
	}
	about := res.about
	about.Resource = res.origin + strings.TrimPrefix(path, MetadataPath)
	document, err := about.write()
	if err != nil {
		return res.document
	}
	return document
}

// urlFor returns where the document is for a request to a path.
func (res *resource) urlFor(path string) string {
	at := MetadataPath + strings.TrimSuffix(path, "/")
	if strings.HasSuffix(path, "/") && path != "/" {
		at += "/"
	}
	if !res.mcp || !res.below(at) {
		return res.url
	}
	return res.origin + at
}

// serves reports whether a request path is that of the document, as it derives
// from the audience: the path without anything behind it belongs to an audience
// without a path, or that is no URL. Another's document there would name a
// resource that clients have to refuse (RFC 9728 §3.3).
//
// With MCP it has more places: some clients look at the root alone, or there as well.
func (res *resource) serves(path string) bool {
	return path == res.path || res.mcp && (path == MetadataPath || res.below(path))
}
