package site

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
)

// base is what is fixed of a site.
type base struct {
	cfg     SiteConfig
	host    string // of the origin, with its port where that is not the scheme's
	cookies cookieNames
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

// climbs reports whether a path has a segment that some server takes for `.` or `..`: there
// are those that cut a segment at a semicolon, and those that take `\` for a slash.
func climbs(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
			return true
		}
	}
	return false
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
func (s *base) serves(host string) bool {
	if host == s.host {
		return true
	}
	return bareHost(host, s.cookies.secure) == s.host
}

// name returns what people call the site: its host, without the port.
func (s *base) name() string {
	if host, _, err := net.SplitHostPort(s.host); err == nil {
		return host
	}
	return s.host
}

// cookieNames are the names of the cookies of one origin.
type cookieNames struct {
	session string
	pending string // begins the name
	// returned is that of the mark of a browser that has just come back from a sign-in.
	returned string
	// leaving is that of the way on of a browser that has just signed out.
	leaving string
	secure  bool
}

func cookieNamesOf(origin string, secure bool) cookieNames {
	prefix := ""
	if secure {
		prefix = wire.HostPrefix
	}
	sum := sha256.Sum256([]byte(origin))
	own := hex.EncodeToString(sum[:4])
	return cookieNames{
		session: prefix + wire.SiteCookie + own, pending: prefix + wire.PendingCookie, returned: prefix + wire.ReturnedCookie,
		leaving: prefix + wire.LeavingCookie + own, secure: secure,
	}
}

// setCookie gives the browser a cookie for so many seconds; below 0 takes it.
func (s *base) setCookie(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure but on loopback, where the origin is http
		Name: name, Value: value, Path: "/", MaxAge: seconds, Secure: s.cookies.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
