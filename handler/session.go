package handler

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// session returns the value of the session cookie, or "".
func (s *Server) session(r *http.Request) string { return wire.Cookie(r, s.cookies.session) }

// setSession gives the browser its session. It expires with the session itself.
func (s *Server) setSession(w http.ResponseWriter, value string, expires time.Time) {
	c := s.cookies.cookie(s.cookies.session, value) //nolint:gosec // it sets the attributes
	c.Expires = expires
	c.MaxAge = max(1, int(expires.Sub(s.Clock()).Seconds()))
	http.SetCookie(w, c)
}

// clearSession takes the session cookie from the browser.
func (s *Server) clearSession(w http.ResponseWriter) {
	s.dropCookie(w, s.cookies.session)
}

// keepCookie gives the browser a cookie for so many seconds.
func (s *Server) keepCookie(w http.ResponseWriter, name, value string, seconds int) {
	c := s.cookies.cookie(name, value) //nolint:gosec // it sets the attributes
	c.MaxAge = seconds
	http.SetCookie(w, c)
}

// dropCookie takes a cookie of ours from the browser.
func (s *Server) dropCookie(w http.ResponseWriter, name string) { s.keepCookie(w, name, "", -1) }

// browserFor is how long the browser's cookie lives: what browsers keep a cookie
// for at most (RFC 6265bis §5.5). Nearly every tab then begins with one.
const browserFor = 400 * 24 * time.Hour

// browser returns the hash of the value that names this browser, for the forms
// of pages to be bound to, and gives the browser one where it has none yet. It is
// one for all forms and nothing ends it, so that no tab breaks another's.
func (s *Server) browser(w http.ResponseWriter, r *http.Request) browserID {
	value := wire.Cookie(r, s.cookies.browser)
	if !validBrowser(value) {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		value = base64.RawURLEncoding.EncodeToString(b[:])
		s.keepCookie(w, s.cookies.browser, value, int(browserFor.Seconds()))
	}
	return browserIDOf(value)
}

// sentBrowser returns the browser that a request names, and whether it names one.
func (s *Server) sentBrowser(r *http.Request) (browserID, bool) {
	value := wire.Cookie(r, s.cookies.browser)
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
