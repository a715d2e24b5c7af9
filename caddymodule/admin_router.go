package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(adminRouter{})
}

// adminRouter is the module that brings the admin API to Caddy's admin endpoint.
// It finds the app for each request anew: after a reload that Caddy has refused,
// the endpoint is that of the refused configuration, and another one serves.
type adminRouter struct{}

// CaddyModule returns the Caddy module information.
func (adminRouter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.oauth",
		New: func() caddy.Module { return new(adminRouter) },
	}
}

// Provision makes the admin endpoint's own metrics tell of the app that serves,
// should the configuration that it came with be refused.
func (*adminRouter) Provision(ctx caddy.Context) error {
	if serving.app() == nil {
		return nil
	}
	if err := processMetrics.register(ctx.GetMetricsRegistry(), newGaugeCollector(serving.app)); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	return nil
}

// Routes returns the admin routes.
func (*adminRouter) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminBase, Handler: caddy.AdminHandlerFunc(serveAdmin)}}
}

func serveAdmin(w http.ResponseWriter, r *http.Request) error {
	app := serving.app()
	if app == nil || app.bare() && !strings.HasPrefix(r.URL.Path, adminBase+"issuers") {
		return adminError(http.StatusNotFound, errors.New("no authorization server is running: add the global option `oauth`, or wait until it has started"))
	}
	return (&adminAPI{app: app, log: app.log}).serve(w, r)
}

// Interface guards
var (
	_ caddy.AdminRouter = (*adminRouter)(nil)
	_ caddy.Provisioner = (*adminRouter)(nil)
)
