package caddymodule

import (
	"reflect"

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
