// Package handler speaks HTTP for the OAuth core: it turns requests into calls
// of package tokens and their outcomes into answers. Server is the authorization
// server; the check of tokens in front of an API is package guard. Both know no
// Caddy, so that they can be served and tested with net/http alone.
package handler

import (
	"context"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
)

// Config is what a Server needs. Every field without a note is required.
type Config struct {
	Issuer    *tokens.Issuer
	IssuerURL string // exactly as emitted; every URL that the Server emits derives from it
	// Ready opens shared state on first use. Every request calls it, and an
	// error is answered with 503.
	Ready func(context.Context) error
	// Health returns why this gateway should get no requests, "" while it
	// should. It asks nobody. Nil is always well.
	Health func() oauth.Trouble
	// JWKS returns the public signing keys as a JSON Web Key Set.
	JWKS func() []byte
	// Secrets seals what pages carry through the browser.
	Secrets func() *secrets.Secrets
	// Logins are the ways to sign in, in the order of the page. May be empty
	// where only machines get tokens.
	Logins []login.Login
	Theme  pages.Theme // the zero value is fine
	Limits *Limits     // nil makes new ones
	// Paths moves endpoints: their name (see EndpointNames) to a path below
	// the issuer's own. Others keep the default.
	Paths map[string]string
	// ClientIP returns the address of the person's browser. Nil takes the
	// peer of the connection.
	ClientIP func(*http.Request) string
	// BodyTime is how long the body of a request may take to arrive. 0 is 20 s.
	BodyTime time.Duration
	// RequestID returns the id by which the log names a request. Nil for none.
	RequestID func(*http.Request) string
	Observer  oauth.Observer   // nil observes nothing
	Clock     func() time.Time // nil is time.Now
	// SigningAlgs are the algorithms that tokens are signed with, the usual one of ID tokens first.
	SigningAlgs []jose.Algorithm
	// APIScopes are the scopes of the configured APIs, for discovery. May be empty.
	APIScopes []string
	// RegistrationToken is what who registers a client has to present; "" lets anybody.
	RegistrationToken string
}

// Server is the authorization server: an http.Handler for the endpoints of one issuer.
type Server struct {
	Config

	issuerOrigin string
	issuerScheme string
	issuerHost   string               // with its port, where that is not the scheme's
	base         string               // the issuer's path without a slash at the end, "" for none
	root         string               // the issuer's URL without a slash at the end
	routes       map[string]*endpoint // by whole path
	paths        map[string]string    // the whole path of each endpoint
	pages        *pages.Set
	cookies      cookieNames
	discovery    []byte          // the document
	origins      map[string]bool // of all clients
	originList   []string        // the same, in order, for the log
	// cookieOrigins are those of clients that keep their refresh token in a cookie.
	cookieOrigins map[string]bool
	devices       deviceNames // what User-Agent headers say
}

// corsKind says which origins may read an endpoint's answers.
type corsKind uint8

const (
	corsNone        corsKind = iota // pages: no origin (RFC 9700 §2.6)
	corsClient                      // the origins of the client concerned
	corsCredentials                 // as corsClient, with credentials: no answer depends on a cookie
	corsCookie                      // as corsClient, with credentials where the client keeps its refresh token in a cookie
	// With clients that nobody registered, the two also let any origin, without credentials:
	// which those run in, nobody knows.
	corsAny // without credentials: public documents, and what any program calls
)

// endpoint is one row of the route table.
type endpoint struct {
	name      string // for Config.Paths, and for metrics
	path      string // below the issuer's own
	alias     string // another path that works too, unless the endpoint was moved
	perLogin  bool   // each login at a provider has one, at its name below the path
	fixed     bool   // the path is a standard's and cannot be moved
	registers bool   // there where clients may register themselves
	// aliasRegisters says that only the alias is so: other sites have such a path of their own.
	aliasRegisters bool
	early          bool // answered before shared state is open
	page           bool // for people, at the issuer's origin only
	grants         bool // answers with tokens: a span of its own in traces
	methods        []string
	cors           corsKind
	fail           func(*Server, http.ResponseWriter, *http.Request, error)
	serve          func(*Server, http.ResponseWriter, *http.Request) error
}

// cleanPath folds repeated slashes and dots: SDKs append paths to an issuer
// that ends in a slash.
func cleanPath(p string) string { return path.Clean("/" + p) }

// pathOf returns the path of an endpoint on our origin.
func (s *Server) pathOf(name string) string {
	p, ok := s.paths[name]
	if !ok {
		panic("no endpoint " + name)
	}
	return p
}

// urlOf returns the URL of an endpoint. It derives from the issuer, never from a request.
func (s *Server) urlOf(name string) string {
	return s.root + strings.TrimPrefix(s.pathOf(name), s.base)
}

// AuthorizeURL is where the guards of sites send people to sign in.
func (s *Server) AuthorizeURL() string { return s.urlOf("authorize") }

// SignedOutURL is where somebody lands who has signed out at a site: the logout endpoint, which
// takes them to the sign-out of their provider or shows a page that says so.
func (s *Server) SignedOutURL() string { return s.urlOf("logout") }
