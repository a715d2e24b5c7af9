package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
	"github.com/gatehouse-auth/gatehouse/caddymodule/events"
	"github.com/gatehouse-auth/gatehouse/tokens/admin"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
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
	if err := events.Process.Register(ctx.GetMetricsRegistry(), newGaugeCollector(serving.app)); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	return nil
}

// Routes returns the admin routes.
func (*adminRouter) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: adminapi.Base, Handler: caddy.AdminHandlerFunc(serveAdmin)}}
}

func serveAdmin(w http.ResponseWriter, r *http.Request) error {
	app := serving.app()
	if app == nil {
		return adminapi.ErrNoServer
	}
	return app.adminAPI().Serve(w, r)
}

// adminAPI returns the admin API of this app.
func (a *App) adminAPI() *adminapi.API {
	api := &adminapi.API{Log: a.log, Observer: a.observer, Others: a.issuerKeys}
	if r := a.backend; r != nil {
		api.Issuer, api.State, api.Logins = r.issuer, r.shared.state, a.logins
		api.Operator = admin.New(api.Issuer, api.State)
		api.Open, api.Begin = r.ready, r.reference.begin
		api.Database, api.Secret = strings.TrimPrefix(r.poolKey, boltPool), r.secretToBackUp
		api.Stats = r.stats
		api.Dropped = func() int { return events.Process.Happened(oauth.EventLogoutSent, oauth.OutcomeDropped) }
	}
	return api
}

// secretToBackUp returns the generated secret, nil where the configuration has
// one. It is the one in use: its file may be gone with the database's.
func (r *backend) secretToBackUp() ([]byte, error) {
	if len(r.secrets) > 0 {
		return nil, nil
	}
	inUse := r.shared.generated.Load()
	if inUse == nil {
		return nil, errors.New("the store has not been opened yet: see the health in `caddy oauth stats`")
	}
	return []byte(*inUse + "\n"), nil
}

// Interface guards
var (
	_ caddy.AdminRouter = (*adminRouter)(nil)
	_ caddy.Provisioner = (*adminRouter)(nil)
)
