package caddymodule

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"go.uber.org/zap"
)

// clearText refuses requests that came without encryption to an issuer whose
// URL says https: cookies and tokens would cross the network in clear.
// See RFC 6749 §1.6 and RFC 9700 §2.6.
type clearText struct {
	issuer string
	log    *zap.Logger
	warn   sync.Once
}

// refused answers a request that came in clear, and reports whether it did.
// The operator is told once: every request after it says the same.
func (c *clearText) refused(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(c.issuer, "https://") || encrypted(r) {
		return false
	}
	c.warn.Do(func() {
		c.log.Error("oauth_server: requests without encryption are refused, since the issuer is an https URL: serve it on an https site; "+
			"or, if a proxy in front of Caddy terminates TLS, name it in the global option `servers { trusted_proxies static <its addresses> }` "+
			"and let it send X-Forwarded-Proto", zap.String("issuer", c.issuer), zap.String("host", r.Host), zap.String("remote", r.RemoteAddr))
	})
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, "This authorization server answers encrypted requests only: "+c.issuer+"\n"+
		"If this one was encrypted, a proxy on the way has not said so. The server's log tells its operator what to do.\n")
	return true
}
