package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
	"github.com/gatehouse-auth/gatehouse/tokens"
)

// documents are the guards of one configuration by the host and path of their
// RFC 9728 documents. Several audiences may share a site, and the guard of one
// would refuse whoever asks for the document of another.
type documents map[string]*guard.Guard

// add makes a guard's document known. The first of an audience counts.
func (d *documents) add(g *guard.Guard) {
	place := g.DocumentPlace()
	if _, there := (*d)[place]; place == "" || there {
		return
	}
	if *d == nil {
		*d = make(documents)
	}
	(*d)[place] = g
}

// document returns the guard whose document a request asks for, or nil: the
// one whose audience has this very host and path, else this one by its path alone.
func (b *BearerAuth) document(r *http.Request) *guard.Guard {
	path := originalPath(r)
	if !strings.HasPrefix(path, guard.MetadataPath) {
		return nil
	}
	_, host, _ := strings.Cut(tokens.OriginOf(clientOrigin(r)), "://")
	if g := (*b.documents)[host+path]; g != nil {
		return g
	}
	if b.guard.ServesMetadata(path) {
		return b.guard
	}
	return nil
}

// originalPath returns the path that the client asked for, before rewrites.
func originalPath(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.URL.Path
	}
	return r.URL.Path
}
