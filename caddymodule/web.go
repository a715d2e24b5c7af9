package caddymodule

import "github.com/caddyserver/caddy/v2/modules/caddyhttp"

// web returns the HTTP app of the configuration, nil for none.
func (a *App) web() *caddyhttp.App {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil
	}
	web, _ := app.(*caddyhttp.App)
	return web
}
