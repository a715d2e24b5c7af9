package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
)

// clientIP returns the address of the person's browser as Caddy knows it,
// trusted proxies considered.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// originalPath returns the path that the client asked for, before rewrites.
func originalPath(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return original.URL.Path
	}
	return r.URL.Path
}

// passageVar is the request's variable that its guards share.
const passageVar = "gatehouse.passage"

// passageOf returns what the guards of a request share.
func passageOf(r *http.Request) *guard.Passage {
	if passage, ok := caddyhttp.GetVar(r.Context(), passageVar).(*guard.Passage); ok {
		return passage
	}
	passage := new(guard.Passage)
	caddyhttp.SetVar(r.Context(), passageVar, passage)
	return passage
}

// clientOrigin returns scheme, host and port as the client sees them. Only a
// proxy in the server's `trusted_proxies` is believed.
func clientOrigin(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if proto := forwardedProto(r); proto != "" {
		scheme = proto
	}
	if name := forwardedHost(r); name != "" {
		host = name
	}
	return scheme + "://" + host
}

// encrypted reports whether the client's connection is encrypted: ours is, or a
// proxy that Caddy trusts says so.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || forwardedProto(r) == "https"
}

// fromTrustedProxy reports whether the other end of the connection is a proxy
// in the server's `trusted_proxies`.
func fromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// forwardedProto returns the scheme that a trusted proxy says the client came
// by, "" for none. It is the first of several: that of the outermost proxy. A
// client that lies about it exposes nobody but itself.
func forwardedProto(r *http.Request) string {
	if !fromTrustedProxy(r) {
		return ""
	}
	proto := strings.ToLower(valueOf(r, "X-Forwarded-Proto", false))
	if proto != "http" && proto != "https" {
		return ""
	}
	return proto
}

// forwardedHost returns the host that a trusted proxy says the client asked
// for, "" for none. Of several it is the first, which may be the client's own
// text, or with `trusted_proxies_strict` the last: that of the proxy which Caddy
// knows. So Caddy reads X-Forwarded-For.
func forwardedHost(r *http.Request) string {
	if !fromTrustedProxy(r) {
		return ""
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return valueOf(r, "X-Forwarded-Host", ok && server.TrustedProxiesStrict > 0)
}

// valueOf returns the first or last value of a header that is a list, over all its lines.
func valueOf(r *http.Request, header string, last bool) string {
	values := strings.Split(strings.Join(r.Header.Values(header), ","), ",")
	if last {
		return strings.TrimSpace(values[len(values)-1])
	}
	return strings.TrimSpace(values[0])
}
