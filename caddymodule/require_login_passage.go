package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/site"
)

// sitePassageVar is the request's variable that its guards of sites share.
const sitePassageVar = "gatehouse.site"

// sitePassageOf returns what the guards of a request share.
func sitePassageOf(r *http.Request) *site.Passage {
	passage := sitePassageSoFar(r)
	if passage == nil {
		passage = new(site.Passage)
		caddyhttp.SetVar(r.Context(), sitePassageVar, passage)
	}
	return passage
}

// sitePassageSoFar returns it, nil for a request that has met no guard of a site.
func sitePassageSoFar(r *http.Request) *site.Passage {
	passage, _ := caddyhttp.GetVar(r.Context(), sitePassageVar).(*site.Passage)
	return passage
}
