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
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// Site is what all guards of an origin share. Safe for concurrent use.
type Site struct {
	cfg      SiteConfig
	host     string // of the origin, with its port where that is not the scheme's
	cookies  cookieNames
	sessions sessions

	mu    sync.RWMutex
	rules map[string]sites.Rules // of its guards, by the name that ruleName gives them
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
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.MaxSessions <= 0 {
		cfg.MaxSessions = DefaultMaxSessions
	}
	s := &Site{cfg: cfg, host: host, cookies: cookieNamesOf(cfg.Origin, secure), rules: make(map[string]sites.Rules)}
	s.sessions.site = s
	s.sessions.held = make(map[string]*held)
	return s, nil
}

// originHost returns the host of an origin as requests name it, and whether it is https.
func originHost(origin string) (host string, secure bool, err error) {
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host || origin != strings.ToLower(origin):
		return "", false, errors.New("making site: the origin must be scheme and host alone, in lower case, such as https://wiki.example.com")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "", false, errors.New("making site: the origin must be https, but on a loopback address: no browser would keep its cookie")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", false, errors.New("making site: the origin must be https")
	}
	return bareHost(u.Host, u.Scheme == "https"), u.Scheme == "https", nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// bareHost takes the port of the scheme from a host, and lower-cases it.
func bareHost(host string, secure bool) string {
	port := ":80"
	if secure {
		port = ":443"
	}
	return strings.ToLower(strings.TrimSuffix(host, port))
}

// serves reports whether a request names the host of the site.
func (s *Site) serves(host string) bool {
	if host == s.host {
		return true
	}
	return bareHost(host, s.cookies.secure) == s.host
}

// Origin returns the origin of the site.
func (s *Site) Origin() string { return s.cfg.Origin }

// Name returns what people call the site: its host, without the port.
func (s *Site) name() string {
	if host, _, err := net.SplitHostPort(s.host); err == nil {
		return host
	}
	return s.host
}

// ownPrefix begins the paths that are ours, at the root of each site.
const ownPrefix = "/.gatehouse/"

// The paths.
const (
	pathLogin   = ownPrefix + "login"
	pathLogout  = ownPrefix + "logout"
	pathSession = ownPrefix + "session"
)

// Owns reports whether a path is one of ours, at the root of each site.
func Owns(path string) bool { return strings.HasPrefix(path, ownPrefix) }

// ServeHTTP answers requests for the paths that are ours.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.serves(r.Host) {
		misdirected(w)
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

// misdirected answers a request for another host than the site's. See RFC 9110 §15.5.20.
func misdirected(w http.ResponseWriter) {
	wire.NoStore(w.Header())
	http.Error(w, "This host is not one that the site is configured for (`origin`).", http.StatusMisdirectedRequest)
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

// register makes the rules of a guard known.
func (s *Site) register(r sites.Rules) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules[ruleName(r)] = r
}

// rulesOf returns the rules of a name; none for one that is not known (any more).
func (s *Site) rulesOf(name string) sites.Rules {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rules[name]
}

// cookieNames are the names of the cookies of one origin.
type cookieNames struct {
	session string
	pending string // begins the name
	secure  bool
}

func cookieNamesOf(origin string, secure bool) cookieNames {
	prefix := ""
	if secure {
		prefix = wire.HostPrefix
	}
	sum := sha256.Sum256([]byte(origin))
	return cookieNames{session: prefix + wire.SiteCookie + hex.EncodeToString(sum[:4]), pending: prefix + wire.PendingCookie, secure: secure}
}

// setCookie gives the browser a cookie for so many seconds; below 0 takes it.
func (s *Site) setCookie(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure but on loopback, where the origin is http
		Name: name, Value: value, Path: "/", MaxAge: seconds, Secure: s.cookies.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
