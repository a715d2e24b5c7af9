package wire

import (
	"iter"
	"net/http"
	"strings"
)

// The names of our cookies.
const (
	SessionCookie = "gatehouse_session"
	BrowserCookie = "gatehouse_browser"
	KnownCookie   = "gatehouse_known"
	MovedCookie   = "gatehouse_moved"
	// LoginCookie names the login that was used last in this browser.
	LoginCookie = "gatehouse_login"
	// SignedOutCookie says that somebody has just signed out.
	SignedOutCookie = "gatehouse_signed_out"
	// LeftCookie is the way to the sign-out of a provider and back.
	LeftCookie = "gatehouse_left"
	// FlowCookie begins the name of the cookie of one way to a provider and back.
	FlowCookie = "gatehouse_flow_"
	// RefreshCookie begins the name of the cookie that holds a client's refresh
	// token. The client's tag follows, so that the clients of one browser do not
	// overwrite each other's.
	RefreshCookie = "gatehouse_refresh_"
	// SiteCookie begins the name of the cookie of a person's session at a site. A hash of the
	// origin follows, since cookies know no ports.
	SiteCookie = "gatehouse_site_"
	// PendingCookie begins the name of the cookie of one sign-in to a site that is under way.
	PendingCookie = "gatehouse_pending_"
	// ReturnedCookie says that the browser has just come back to a site from a sign-in.
	ReturnedCookie = "gatehouse_returned"
	// LeavingCookie begins the name of the cookie with the way on of a browser that has just
	// signed out of a site. The hash of the origin follows.
	LeavingCookie = "gatehouse_leaving_"
	// HostPrefix stands before them where the issuer is https.
	HostPrefix = "__Host-"
)

// ownCookie reports whether a cookie of this name can be ours.
func ownCookie(name string) bool {
	name = strings.TrimPrefix(name, HostPrefix)
	return name == SessionCookie || name == BrowserCookie || name == KnownCookie || name == MovedCookie ||
		name == LoginCookie || name == SignedOutCookie || name == ReturnedCookie || name == LeftCookie || strings.HasPrefix(name, FlowCookie) || strings.HasPrefix(name, RefreshCookie) ||
		strings.HasPrefix(name, SiteCookie) || strings.HasPrefix(name, PendingCookie) || strings.HasPrefix(name, LeavingCookie)
}

// StripCookies takes our cookies from a request that goes on to an upstream.
func StripCookies(h http.Header) {
	for _, line := range h["Cookie"] {
		if strings.Contains(line, "gatehouse_") {
			DropCookies(h, ownCookie)
			return
		}
	}
}

// Cookie returns the value of a cookie that stands in the request exactly
// once. Two of one name mean that somebody else has planted one.
func Cookie(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// DropCookies takes cookies out of the Cookie header and leaves every other byte of it.
func DropCookies(h http.Header, drop func(name string) bool) {
	var lines []string
	for _, line := range h["Cookie"] {
		if kept := withoutCookies(line, drop); kept != "" {
			lines = append(lines, kept)
		}
	}
	if len(lines) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = lines
}

func withoutCookies(line string, drop func(name string) bool) string {
	var kept strings.Builder
	first := true
	for part := range strings.SplitSeq(line, ";") {
		name, _, _ := strings.Cut(part, "=")
		if drop(strings.TrimSpace(name)) {
			continue
		}
		if first {
			part = strings.TrimLeft(part, " \t")
		} else {
			kept.WriteByte(';')
		}
		kept.WriteString(part)
		first = false
	}
	return kept.String()
}

// CookieValues returns the values of all cookies with a name, as they stand in the request.
// It allocates nothing.
func CookieValues(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h["Cookie"] {
			for part := range strings.SplitSeq(line, ";") {
				own, value, _ := strings.Cut(strings.TrimSpace(part), "=")
				if own == name && !yield(value) {
					return
				}
			}
		}
	}
}
