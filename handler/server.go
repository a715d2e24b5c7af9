// Package handler speaks HTTP for the OAuth core: it turns requests into calls
// of package tokens and their outcomes into answers. Server is the
// authorization server; Guard is the bearer token check in front of an API. It
// knows no Caddy, so that both can be served and tested with net/http alone.
package handler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens"
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
	Health func() tokens.Trouble
	// JWKS returns the public signing keys as a JSON Web Key Set.
	JWKS func() []byte
	// Secrets seals what pages carry through the browser.
	Secrets func() *tokens.Secrets
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
	Observer  tokens.Observer  // nil observes nothing
	Clock     func() time.Time // nil is time.Now
	// IDTokenAlgs are the JWA names that ID tokens are signed with, the usual one first.
	IDTokenAlgs []string
	// APIScopes are the scopes of the configured APIs, for discovery. May be empty.
	APIScopes []string
}

// Server is the authorization server: an http.Handler for the endpoints of one issuer.
type Server struct {
	Config

	origin   string // of the issuer
	base     string // the issuer's path without a slash at the end, "" for none
	root     string // the issuer's URL without a slash at the end
	routes   map[string]*endpoint
	pages    *pages.Set
	cookies  cookieNames
	metadata []byte
	origins  map[string]bool // of all clients
	// deviceNames are what User-Agent headers say.
	deviceNames deviceNames
	// cookieOrigins are those of clients that keep their refresh token in a cookie.
	cookieOrigins map[string]bool
}

// NewServer makes a Server. Errors name the setting and the fix. It does no I/O.
func NewServer(cfg Config) (*Server, error) {
	u, err := url.Parse(cfg.IssuerURL)
	if err != nil || tokens.OriginOf(cfg.IssuerURL) == "" {
		return nil, fmt.Errorf("reading issuer URL: %q is not an http or https URL", cfg.IssuerURL)
	}
	if cfg.Issuer == nil || cfg.Ready == nil || cfg.JWKS == nil || cfg.Secrets == nil {
		return nil, errors.New("making server: Issuer, Ready, JWKS and Secrets are required")
	}
	cfg = cfg.withDefaults()
	set, err := pages.New(cfg.Theme)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Config:  cfg,
		origin:  tokens.OriginOf(cfg.IssuerURL),
		base:    strings.TrimRight(u.EscapedPath(), "/"),
		root:    strings.TrimRight(cfg.IssuerURL, "/"),
		pages:   set,
		cookies: namesOf(u.Scheme == "https"),
		origins: make(map[string]bool),

		cookieOrigins: make(map[string]bool),
	}
	for _, c := range cfg.Issuer.Clients() {
		for _, o := range c.Origins {
			s.origins[o] = true
			if c.Refresh.Cookie {
				s.cookieOrigins[o] = true
			}
		}
	}
	if s.routes, err = s.routeTable(); err != nil {
		return nil, err
	}
	s.metadata, err = s.discovery()
	return s, err
}

func (c Config) withDefaults() Config {
	if c.Observer == nil {
		c.Observer = tokens.NopObserver{}
	}
	if c.RequestID == nil {
		c.RequestID = func(*http.Request) string { return "" }
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Limits == nil {
		c.Limits = NewLimits(nil)
	}
	if c.Health == nil {
		c.Health = wellAlways
	}
	if c.ClientIP == nil {
		c.ClientIP = peer
	}
	return c
}
