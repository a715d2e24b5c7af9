package wire

import (
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
	// FlowCookie begins the name of the cookie of one way to a provider and back.
	FlowCookie = "gatehouse_flow_"
	// RefreshCookie begins the name of the cookie that holds a client's refresh
	// token. The client's tag follows, so that the clients of one browser do not
	// overwrite each other's.
	RefreshCookie = "gatehouse_refresh_"
	// HostPrefix stands before them where the issuer is https.
	HostPrefix = "__Host-"
)

// ownCookie reports whether a cookie of this name can be ours.
func ownCookie(name string) bool {
	name = strings.TrimPrefix(name, HostPrefix)
	return name == SessionCookie || name == BrowserCookie || name == KnownCookie || name == MovedCookie ||
		name == LoginCookie || name == SignedOutCookie || strings.HasPrefix(name, FlowCookie) || strings.HasPrefix(name, RefreshCookie)
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

// DropCookies takes cookies out of the Cookie header and leaves the others as they stand.
func DropCookies(h http.Header, drop func(name string) bool) {
	var lines []string
	for _, line := range h["Cookie"] {
		var kept []string
		for part := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(part), "=")
			if !drop(strings.TrimSpace(name)) {
				kept = append(kept, strings.TrimSpace(part))
			}
		}
		if len(kept) > 0 {
			lines = append(lines, strings.Join(kept, "; "))
		}
	}
	if len(lines) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = lines
}
