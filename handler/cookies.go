package handler

import (
	"encoding/hex"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// cookieNames are the names of our cookies. The __Host- prefix makes browsers
// refuse them from any other host, a subdomain included (RFC 6265bis §4.1.3.2);
// it needs https, so that an http issuer on loopback goes without.
type cookieNames struct {
	session string // the login, single sign-on
	browser string // names the browser from before the login on; forms are bound to it
	known   string // says which accounts were signed in to in this browser
	moved   string // says that the browser was sent to the issuer's origin just now
	last    string // names the login that was used last
	out     string // says that somebody has just signed out
	left    string // the way to the sign-out of a provider and back
	flow    string // begins the name of the cookie of a way to a provider
	secure  bool
}

func cookieNamesOf(secure bool) cookieNames {
	prefix := ""
	if secure {
		prefix = wire.HostPrefix
	}
	return cookieNames{
		session: prefix + wire.SessionCookie, browser: prefix + wire.BrowserCookie, known: prefix + wire.KnownCookie,
		moved: prefix + wire.MovedCookie, last: prefix + wire.LoginCookie, out: prefix + wire.SignedOutCookie,
		left: prefix + wire.LeftCookie, flow: prefix + wire.FlowCookie, secure: secure,
	}
}

func (n cookieNames) cookie(name, value string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure but on loopback, where the issuer is http
		Name: name, Value: value, Path: "/", Secure: n.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// refresh returns the name of a client's cookie.
func (n cookieNames) refresh(c *clients.Client) string {
	tag := c.Tag()
	name := wire.RefreshCookie + hex.EncodeToString(tag[:])
	if n.secure {
		return wire.HostPrefix + name
	}
	return name
}
