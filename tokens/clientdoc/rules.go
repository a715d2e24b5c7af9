package clientdoc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Fetched is an answer of a host.
type Fetched struct {
	Text   []byte
	MaxAge time.Duration // how long it may be kept, negative where the host does not say
}

// Fetch gets a document or a set of keys: one request, to the address as it is. Errors: ErrGone,
// or why the host has not shown it. It obeys ctx and reads no more than MaxBytes.
type Fetch func(ctx context.Context, address string) (Fetched, error)

// ErrGone is the error of a Fetch whose host says that there is nothing: 404 or 410.
var ErrGone = errors.New("the host says that there is no such document")

// Rules say which clients are known by their documents, in one configuration.
type Rules struct {
	// Allow are whole URLs, and prefixes that end in a slash, of those that an operator expects.
	Allow []string
	// Any admits all others, on the port of https, once somebody is signed in.
	Any bool
	// Pinned are documents that are not fetched, by URL.
	Pinned map[string]*Document
	Fetch  Fetch
}

// Admits reports whether a client_id may be a client.
func (r *Rules) Admits(id string) bool {
	return r != nil && oauth.IsDocumentURL(id) && (r.expects(id) || r.Any && usualPort(id))
}

// expects reports whether an operator has named a URL for which IsDocumentURL is true.
func (r *Rules) expects(id string) bool {
	return r.Pinned[id] != nil || slices.ContainsFunc(r.Allow, func(a string) bool {
		return a == id || strings.HasSuffix(a, "/") && strings.HasPrefix(id, a)
	})
}

// names reports whether an operator has named the very URL.
func (r *Rules) names(id string) bool { return r.Pinned[id] != nil || slices.Contains(r.Allow, id) }

// usualPort reports whether a URL names no port.
func usualPort(id string) bool {
	host := strings.TrimPrefix(oauth.DocumentOrigin(id), "https://")
	return strings.LastIndexByte(host, ':') <= strings.LastIndexByte(host, ']')
}

// Visitor is who makes this gateway fetch something.
type Visitor struct {
	Network string // that they come from; "" if that is not known
	Person  string // who is signed in, by whatever names them; "" for nobody
}
