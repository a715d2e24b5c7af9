package caddymodule

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// warnProxies tells the operator, once for each server that has a handler of
// ours, when anybody may choose the address that we know them by.
func (a *App) warnProxies(ctx caddy.Context) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || a.servers[server] {
		return
	}
	if a.servers == nil {
		a.servers = make(map[*caddyhttp.Server]bool)
	}
	a.servers[server] = true
	if server.TrustedProxiesStrict > 0 || !trustsProxies(server) {
		return
	}
	a.log.Warn("trusted_proxies without trusted_proxies_strict: of X-Forwarded-For the first address counts, and most proxies only add theirs at the end, "+
		"so whoever writes that header chooses it: limits by address are passed at will and logs name somebody else; likewise the first X-Forwarded-Host. "+
		"Add trusted_proxies_strict to the global option `servers`",
		zap.Strings("listen", server.Listen))
}

// trustsProxies reports whether the server believes any proxy. Caddy keeps what
// it has made of the option to itself, and empties the option.
func trustsProxies(server *caddyhttp.Server) bool {
	if server.TrustedProxiesRaw != nil || server.TrustedProxiesUnix {
		return true
	}
	loaded := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return loaded.IsValid() && loaded.Kind() == reflect.Interface && !loaded.IsNil()
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
