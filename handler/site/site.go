// Package site lets people sign in to what is no API: a wiki, a dashboard, an admin page
// behind a proxy. A Site is one origin, with its cookie and its pages; a Guard is one place
// there that a person has to sign in for. It knows of the authorization server what Issuer
// says.
//
// Begin reading at Guard.Check.
package site

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// Site is what all guards of an origin share. Safe for concurrent use.
type Site struct {
	*base

	sessions *sessions
	leaving  *leaving

	mu    sync.RWMutex
	rules map[string]sites.Rules // of its guards, by the name that ruleName gives them
	keys  bool                   // one of them takes app keys
}

// NewSite makes the site of an origin.
func NewSite(cfg SiteConfig) (*Site, error) {
	host, secure, err := originHost(cfg.Origin)
	switch {
	case err != nil:
		return nil, err
	case cfg.Issuer == nil || cfg.Pages == nil || cfg.IssuerURL == "" || cfg.AuthorizeURL == "" || cfg.SignedOutURL == "":
		return nil, errors.New("making site: Issuer, Pages and the URLs are required")
	case cfg.Life.Absolute <= 0:
		return nil, errors.New("making site: Life.Absolute must be greater than zero")
	}
	if cfg.Observer == nil {
		cfg.Observer = oauth.NopObserver{}
	}
	if cfg.Ready == nil {
		cfg.Ready = func(context.Context) error { return nil }
	}
	if cfg.Original == nil {
		cfg.Original = func(r *http.Request) *url.URL { return r.URL }
	}
	if cfg.MaxSessions <= 0 {
		cfg.MaxSessions = DefaultMaxSessions
	}
	b := &base{cfg: cfg, host: host, cookies: cookieNamesOf(cfg.Origin, secure)}
	held := &sessions{base: b, held: make(map[proof]*held)}
	return &Site{base: b, sessions: held, leaving: newLeaving(held), rules: make(map[string]sites.Rules)}, nil
}

// Origin returns the origin of the site.
func (s *Site) Origin() string { return s.cfg.Origin }

// ServeHTTP answers requests for the paths that are ours.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.serves(r.Host) {
		s.misdirected(w, r)
		return
	}
	if err := s.cfg.Ready(r.Context()); err != nil {
		s.down(w, r, err)
		return
	}
	h := w.Header()
	wire.NoStore(h)
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	serve := map[string]func(http.ResponseWriter, *http.Request){
		pathLogin: s.login, sites.CallbackPath: s.callback, pathLogout: s.logout, pathSession: s.session,
	}[s.cfg.Original(r).Path]
	if serve == nil {
		s.show(w, r, http.StatusNotFound, message{title: s.texts(r).NotFoundTitle, text: s.texts(r).NotFound})
		return
	}
	serve(w, r)
}

// ruleName names the rules of a guard in the addresses of sign-ins: the Site knows them
// again by it. It is "" for no rules.
func ruleName(r sites.Rules) string {
	if len(r.Logins) == 0 && len(r.ACRs) == 0 && r.MaxAge == 0 {
		return ""
	}
	text, err := json.Marshal(r)
	if err != nil { // no such type can fail
		return ""
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// register makes a guard known.
func (s *Site) register(cfg *Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules[ruleName(cfg.Rules)] = cfg.Rules
	s.keys = s.keys || cfg.Keys
}

// rulesOf returns the rules of a name, none for one that is not known (any more), and whether
// the site takes app keys.
func (s *Site) rulesOf(name string) (rules sites.Rules, keys, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rules, known = s.rules[name]
	return rules, s.keys, known
}
