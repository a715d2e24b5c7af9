// Package site lets people sign in to what is no API: a wiki, a dashboard, an admin page
// behind a proxy. A Site is one origin, with its cookie and its pages; a Guard is one place
// there that a person has to sign in for. It knows of the authorization server what Issuer
// says.
//
// Begin reading at Guard.Check.
package site

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Site is what all guards of an origin share. Safe for concurrent use.
type Site struct {
	cfg  SiteConfig
	host string // of the origin, with its port where that is not the scheme's
}

// NewSite makes the site of an origin.
func NewSite(cfg SiteConfig) (*Site, error) {
	u, err := url.Parse(cfg.Origin)
	if err != nil || u.Host == "" || cfg.Issuer == nil {
		return nil, errors.New("making site: Origin and Issuer are required")
	}
	return &Site{cfg: cfg, host: strings.ToLower(u.Host)}, nil
}

// Origin returns the origin of the site.
func (s *Site) Origin() string { return s.cfg.Origin }

// Owns reports whether a path is one of ours, at the root of each site.
func Owns(path string) bool { return strings.HasPrefix(path, "/.gatehouse/") }

// Belief is how long a node believes what the store said about a session whose idle lifetime
// is idle, in the worst case. It counts as the lifetime of an access token.
func Belief(idle, allowStale time.Duration) time.Duration { return 0 }

// ServeHTTP answers requests for the paths that are ours.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {}
