package handler

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"time"
)

// cookieNames are the names of our cookies. The __Host- prefix makes browsers
// refuse them from any other host, a subdomain included (RFC 6265bis §4.1.3.2);
// it needs https, so that an http issuer on loopback goes without.
type cookieNames struct {
	session string // the login, single sign-on
	browser string // names the browser from before the login on; forms are bound to it
	known   string // says which accounts were signed in to in this browser
	secure  bool
}

const (
	sessionCookie = "gatehouse_session"
	browserCookie = "gatehouse_browser"
	hostPrefix    = "__Host-"
)

// ownCookie reports whether a cookie of this name can be ours.
func ownCookie(name string) bool {
	name = strings.TrimPrefix(name, hostPrefix)
	return name == sessionCookie || name == browserCookie || name == knownCookie || strings.HasPrefix(name, refreshCookie)
}

// StripCookies takes our cookies from a request that goes on to an upstream.
func StripCookies(h http.Header) {
	for _, line := range h["Cookie"] {
		if strings.Contains(line, "gatehouse_") {
			dropCookies(h, ownCookie)
			return
		}
	}
}

func namesOf(secure bool) cookieNames {
	if !secure {
		return cookieNames{session: sessionCookie, browser: browserCookie, known: knownCookie}
	}
	return cookieNames{
		session: hostPrefix + sessionCookie, browser: hostPrefix + browserCookie, known: hostPrefix + knownCookie, secure: true,
	}
}

// cookie returns the value of a cookie that stands in the request exactly
// once. Two of one name mean that somebody else has planted one.
func cookie(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// session returns the value of the session cookie, or "".
func (s *Server) session(r *http.Request) string { return cookie(r, s.cookies.session) }

// setSession gives the browser its session. It expires with the session itself.
func (s *Server) setSession(w http.ResponseWriter, value string, expires time.Time) {
	c := s.cookies.cookie(s.cookies.session, value) //nolint:gosec // it sets the attributes
	c.Expires = expires
	c.MaxAge = max(1, int(expires.Sub(s.Clock()).Seconds()))
	http.SetCookie(w, c)
}

// clearSession takes the session cookie from the browser.
func (s *Server) clearSession(w http.ResponseWriter) {
	c := s.cookies.cookie(s.cookies.session, "") //nolint:gosec // it sets the attributes
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// browser returns the hash of the value that names this browser, for the forms
// of pages to be bound to, and gives the browser one where it has none yet.
func (s *Server) browser(w http.ResponseWriter, r *http.Request) browserID {
	value := cookie(r, s.cookies.browser)
	if !validBrowser(value) {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		value = base64.RawURLEncoding.EncodeToString(b[:])
		http.SetCookie(w, s.cookies.cookie(s.cookies.browser, value))
	}
	return browserIDOf(value)
}

// sentBrowser returns the browser that a request names, and whether it names one.
func (s *Server) sentBrowser(r *http.Request) (browserID, bool) {
	value := cookie(r, s.cookies.browser)
	return browserIDOf(value), validBrowser(value)
}

// browserID is what a form knows of the browser's cookie.
type browserID [16]byte

func browserIDOf(value string) browserID {
	sum := sha256.Sum256([]byte("browser" + value))
	return browserID(sum[:16])
}

func validBrowser(value string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	return err == nil && len(b) == 16
}

func (n cookieNames) cookie(name, value string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure but on loopback, where the issuer is http
		Name: name, Value: value, Path: "/", Secure: n.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// peer returns the address at the other end of the connection.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
