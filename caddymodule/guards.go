package caddymodule

import (
	"errors"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/guard"
)

// guards are what the guards of one configuration know of each other, noted
// while it is provisioned.
type guards struct {
	count map[string]int // by audience, of those that take the app's own tokens

	// By the host and path of their RFC 9728 documents. Several audiences may share
	// a site, and the guard of one would refuse whoever asks for the document of another.
	documents map[string]*guard.Guard

	sites map[string]*sitePart // by siteKey

	// The guards of sites, and what tells them at the start where they stand; nil for none.
	logins []caddyhttp.MiddlewareHandler
	bind   func(*caddyhttp.App) error
	paths  map[string]string // of the endpoints of the `oauth_server` here

	rules []ruled // that speak of groups
}

// sitePart is a guard that does something for the rest of its site.
type sitePart struct {
	guard  caddyhttp.MiddlewareHandler
	guards int // how many have been provisioned
	sites  int // and how many handlers for the rest of the site
}

func newGuards() *guards {
	return &guards{count: make(map[string]int), documents: make(map[string]*guard.Guard), sites: make(map[string]*sitePart)}
}

// counted notes a guard of the app's own tokens.
func (g *guards) counted(audiences []string) {
	for _, audience := range audiences {
		g.count[audience]++
	}
}

// addDocument makes a guard's document known. The first of an audience counts.
func (g *guards) addDocument(guard *guard.Guard) {
	place := guard.DocumentPlace()
	if _, there := g.documents[place]; place != "" && !there {
		g.documents[place] = guard
	}
}

// addSite notes a guard, by what it and its handler for the rest of the site have in common.
func (g *guards) addSite(key string, guard caddyhttp.MiddlewareHandler) {
	if g.sites[key] == nil {
		g.sites[key] = &sitePart{guard: guard}
	}
	g.sites[key].guards++
}

// beside returns the guard that a handler for the rest of a site belongs to.
// Caddy provisions it first, since it stands first: where it is not there it was
// lost, and the site would be open.
func (g *guards) beside(key string) (caddyhttp.MiddlewareHandler, error) {
	part := g.sites[key]
	if part == nil || part.sites >= part.guards {
		return nil, errors.New("site_only: the guard that it belongs to is not ahead of it, and nothing would be guarded: " +
			"in JSON, leave site_only out; if this comes of a Caddyfile, write the directive without a matcher, inside of `handle`, and report it")
	}
	part.sites++
	return part.guard, nil
}
