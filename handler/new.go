package handler

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// NewServer makes a Server. Errors name the setting and the fix. It reads
// the theme's folder, and does no other I/O.
func NewServer(cfg Config) (*Server, error) {
	u, err := url.Parse(cfg.IssuerURL)
	if err != nil || oauth.OriginOf(cfg.IssuerURL) == "" {
		return nil, fmt.Errorf("reading issuer URL: %q is not an http or https URL", cfg.IssuerURL)
	}
	if cfg.Issuer == nil || cfg.Ready == nil || cfg.JWKS == nil || cfg.Secrets == nil {
		return nil, errors.New("making server: Issuer, Ready, JWKS and Secrets are required")
	}
	cfg = cfg.withDefaults()
	set, err := pages.New(cfg.Theme)
	if err != nil {
		return nil, fmt.Errorf("theme: %w", err)
	}
	s := &Server{
		Config:        cfg,
		issuerOrigin:  oauth.OriginOf(cfg.IssuerURL),
		issuerScheme:  u.Scheme,
		base:          strings.TrimRight(u.EscapedPath(), "/"),
		root:          strings.TrimRight(cfg.IssuerURL, "/"),
		pages:         set,
		cookies:       cookieNamesOf(u.Scheme == "https"),
		origins:       make(map[string]bool),
		cookieOrigins: make(map[string]bool),
	}
	s.issuerHost = strings.TrimPrefix(s.issuerOrigin, u.Scheme+"://")
	for _, c := range cfg.Issuer.Clients() {
		for _, o := range c.Origins {
			s.origins[o] = true
			if c.Refresh.Cookie {
				s.cookieOrigins[o] = true
			}
		}
	}
	s.originList = slices.Sorted(maps.Keys(s.origins))
	if err := s.route(); err != nil {
		return nil, err
	}
	s.discovery, err = s.writeDiscovery()
	return s, err
}

func (c Config) withDefaults() Config {
	if c.Observer == nil {
		c.Observer = oauth.NopObserver{}
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

// peer returns the address at the other end of the connection.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// wellAlways is the health of a Server that nobody tells of troubles.
func wellAlways() oauth.Trouble { return "" }
