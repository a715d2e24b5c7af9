package oauth

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// MatchRedirect reports whether the redirect URI that was asked for is one of
// the registered: the same string, byte for byte. Only the port of an http URI
// on a literal loopback address may differ, and for a native app also that on
// localhost, since an app on a device gets its port from the system.
// See RFC 9700 §2.1 and RFC 8252 §7.3 and §8.3.
func MatchRedirect(registered []string, asked string, native bool) bool {
	if slices.Contains(registered, asked) {
		return true
	}
	hosts := loopbackHosts
	if !native {
		hosts = hosts[:2]
	}
	without, ok := loopbackWithoutPort(asked, hosts)
	if !ok {
		return false
	}
	return slices.ContainsFunc(registered, func(r string) bool {
		base, ok := loopbackWithoutPort(r, hosts)
		return ok && base == without
	})
}

// MatchLogout reports whether the address that was asked for is one of the
// registered post-logout redirect URIs: the same string, but that an empty path
// of an http or https URI is "/" (RFC 3986 §6.2.3), which many clients leave
// out. See OpenID Connect RP-Initiated Logout §3.
func MatchLogout(registered []string, asked string) bool {
	asked = withPath(asked)
	return slices.ContainsFunc(registered, func(r string) bool { return withPath(r) == asked })
}

// SameResource reports whether two texts name one API: the same string, but that
// an empty path of an http or https URI is "/" (RFC 3986 §6.2.3): parsers of URLs
// write it where people do not. See RFC 8707 §2.
func SameResource(a, b string) bool { return a == b || withPath(a) == withPath(b) }

// BelowResource reports whether an http or https URL is that of an API or lies below it on
// the boundary of a path segment. The last slash, the port of the scheme and the case of the
// host mean nothing: programs name the address that they call, and write it as their parser
// of URLs does. See RFC 8707 §2.
func BelowResource(api, asked string) bool {
	origin := OriginOf(api)
	if origin == "" || origin != OriginOf(asked) {
		return false
	}
	a, errAPI := url.Parse(api)
	b, errAsked := url.Parse(asked)
	if errAPI != nil || errAsked != nil || a.RawQuery != "" || b.User != nil || HasDotSegments(b.EscapedPath()) {
		return false
	}
	base := strings.TrimSuffix(a.EscapedPath(), "/")
	rest, ok := strings.CutPrefix(b.EscapedPath(), base)
	return ok && (rest == "" || rest[0] == '/')
}

// withPath adds the path "/" to an http or https URI that has none. It works on
// the text, so that nothing else of two URIs can become equal.
func withPath(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || scheme != "https" && scheme != "http" || rest == "" {
		return uri
	}
	if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
		if rest[end] != '?' {
			return uri
		}
		return scheme + "://" + rest[:end] + "/" + rest[end:]
	}
	return uri + "/"
}

// loopbackHosts are the hosts whose port may differ, those for all clients first.
var loopbackHosts = []string{"127.0.0.1", "[::1]", "localhost"}

// loopbackWithoutPort cuts the port out of http://127.0.0.1:port/… and its like
// on the other hosts, and reports false for any other URI. It works on the
// text, so that no two spellings of one URI can meet.
func loopbackWithoutPort(uri string, hosts []string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", false
	}
	end := strings.IndexAny(rest, "/?#\\")
	if end < 0 {
		end = len(rest)
	}
	host, path := rest[:end], rest[end:]
	for _, loopback := range hosts {
		port, ok := strings.CutPrefix(host, loopback)
		if !ok {
			continue
		}
		if port == "" || validPort(port) {
			return "http://" + loopback + path, true
		}
	}
	return "", false
}

// WithoutLoopbackPort returns a redirect URI without its port, where that may be any: MatchRedirect.
func WithoutLoopbackPort(uri string, native bool) string {
	hosts := loopbackHosts
	if !native {
		hosts = hosts[:2]
	}
	if without, ok := loopbackWithoutPort(uri, hosts); ok {
		return without
	}
	return uri
}

// validPort reports whether s is ":" and 1 to 5 digits.
func validPort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

// IsLoopbackHost reports whether a host name (without port) is this machine:
// localhost, a name below it, or a loopback address.
func IsLoopbackHost(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// OriginOf returns the origin of an http or https URL as browsers write it, or
// "" for any other: also where a percent sign is left in the host, as in the zone
// of an IPv6 address, which no origin has. See RFC 6454 §6.1.
func OriginOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || strings.Contains(u.Host, "%") || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// ClaimableRedirect reports whether other software than the client can receive what is
// sent to a redirect URI: a custom scheme, or a loopback port that anyone on
// the device may hold. See RFC 8252 §8.6.
func ClaimableRedirect(uri string) bool {
	u, err := url.Parse(uri)
	return err != nil || u.Scheme != "https"
}
