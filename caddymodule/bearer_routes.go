package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
)

// checkRoutes refuses routes that cannot be meant, and warns of those that hardly are.
func (a *App) checkRoutes() error {
	web := a.web()
	if web == nil {
		return nil
	}
	found, err := routeFindings(web)
	if err != nil {
		return err
	}
	if !a.unconfigured() {
		found = append(found, a.siteFindings(web)...)
	}
	for _, f := range found {
		a.log.Warn(f.Text, f.fields...)
	}
	return nil
}

// routeFindings walks all routes. It refuses a configuration with a guard in a named
// route that nothing invokes: Caddy attaches a named route to a server only for an
// `invoke`, so that it has lost it (see checkInNamedRoute). It tells of guards behind a
// handler that answers every request. And it tells of upstreams that hear from a guard who somebody is, and
// that can be reached with the client's own word in the same header as well: by a
// route that no guard stands in, such as the `handle` beside that of the guard.
// It sees what a configuration says in so many words: `reverse_proxy` with static
// upstreams, in the handlers that Caddy itself brings.
func routeFindings(web *caddyhttp.App) (findings []Finding, err error) {
	found, lost := make(upstreams), make(map[routeGuard]bool)
	for _, name := range slices.Sorted(maps.Keys(web.Servers)) {
		server := web.Servers[name]
		w := routeWalk{server: server, found: found, lost: lost, invoked: make(map[string]bool)}
		w.routes(server.Routes, newHeaderState())
		if server.Errors != nil {
			w.routes(server.Errors.Routes, newHeaderState()) // an error may come ahead of every guard
		}
		for _, name := range slices.Sorted(maps.Keys(server.NamedRoutes)) {
			if w.invoked[name] {
				continue
			}
			w.guards = nil
			w.invoke(name, newHeaderState())
			if len(w.guards) > 0 {
				return nil, fmt.Errorf("%s: named route %s: it holds a guard, and nothing invokes it. %s that invokes it, or leave it out", w.guards[0].directive(), name, lostInNamedRoute)
			}
		}
		if w.both {
			return nil, errBothGuards
		}
		for _, p := range w.paths.problems() {
			findings = append(findings, Finding{SeverityWarning, p.guard.directive(), p.text, p.option, []zap.Field{p.guard.about()}})
		}
	}
	byName := func(a, b routeGuard) int {
		return strings.Compare(a.directive()+a.about().String, b.directive()+b.about().String)
	}
	for _, guard := range slices.SortedFunc(maps.Keys(lost), byName) {
		findings = append(findings, Finding{
			SeverityWarning, guard.directive(), "a guard stands behind a handler that answers every request, such as reverse_proxy in a `route`, so it checks none and the route is open: " +
				"write " + guard.directive() + " ahead of it", guard.directive(), []zap.Field{guard.about()},
		})
	}
	for _, upstream := range slices.Sorted(maps.Keys(found)) {
		if open := found[upstream].open(); len(open) > 0 {
			findings = append(findings, Finding{
				SeverityWarning, upstream, "clients can write an identity header themselves: a guard sets it for this upstream, which other routes lead to without one; " +
					"put the guard, with its matcher, ahead of the blocks of the site, or write `request_header -<name>` ahead of the other routes",
				"bearer_auth",
				[]zap.Field{zap.String("upstream", upstream), zap.Strings("headers", open)},
			})
		}
	}
	return findings, nil
}

// upstreams are what requests may carry when they reach an upstream, by its address.
type upstreams map[string]*upstreamHeaders

type upstreamHeaders struct {
	set nameSet   // what guards may have set, by one route or another
	out []nameSet // by each route, what is surely not the client's own
}

func (r upstreams) note(upstream string, s headerState) {
	if r[upstream] == nil {
		r[upstream] = &upstreamHeaders{set: make(nameSet)}
	}
	maps.Copy(r[upstream].set, s.set)
	r[upstream].out = append(r[upstream].out, s.out)
}

// open returns the headers that are set on one route, and left to the client on another.
func (r *upstreamHeaders) open() (names []string) {
	for _, fold := range slices.Sorted(maps.Keys(r.set)) {
		if slices.ContainsFunc(r.out, func(out nameSet) bool { return out[fold] == "" }) {
			names = append(names, r.set[fold])
		}
	}
	return names
}

// headerState is what is known of a request somewhere on its way.
type headerState struct {
	set nameSet // what guards may have set
	out nameSet // what was surely taken out, or set anew
}

func newHeaderState() headerState { return headerState{make(nameSet), make(nameSet)} }

func (s headerState) clone() headerState { return headerState{maps.Clone(s.set), maps.Clone(s.out)} }

// routeWalk walks the routes of one server.
type routeWalk struct {
	server *caddyhttp.Server
	found  upstreams
	lost   map[routeGuard]bool // that no request gets to
	named  []string            // the named routes that it is in

	invoked map[string]bool // the named routes that it has been in
	guards  []routeGuard    // that it has met
	paths   guardPaths      // that they take
	both    bool            // guards of both kinds are in one route
}

// routes walks routes in their order, changes the state as they change a request
// for certain, and reports whether none goes on behind them.
func (w *routeWalk) routes(routes caddyhttp.RouteList, s headerState) (ends bool) {
	rewritten := w.paths.rewritten
	defer func() { w.paths.rewritten = rewritten }()
	before := make(map[string]nameSet) // what was set ahead of the first of a group: only one of them runs
	for i := range routes {
		route := &routes[i]
		in := s.clone()
		if first, there := before[route.Group]; there {
			in.set = maps.Clone(first)
		} else if route.Group != "" {
			before[route.Group] = maps.Clone(s.set)
		}
		ended := w.paths.within(route.MatcherSets, func() bool { return w.handlers(route.Handlers, in) })
		sure := route.Group == "" && matchesAll(route.MatcherSets)
		switch {
		case sure && (ended || route.Terminal):
			w.unreached(routes[i+1:])
			return true
		case ended || route.Terminal:
		case sure:
			maps.Copy(s.out, in.out)
			fallthrough
		default:
			maps.Copy(s.set, in.set)
		}
	}
	return false
}

func (w *routeWalk) handlers(list []caddyhttp.MiddlewareHandler, s headerState) (ends bool) {
	w.both = w.both || haveBoth(list)
	for i, h := range list {
		if w.handler(h, s) {
			w.unreachedOf(list[i+1:])
			return true
		}
	}
	return false
}

// unreached notes the guards in routes that no request gets to.
func (w *routeWalk) unreached(routes caddyhttp.RouteList) {
	for i := range routes {
		w.unreachedOf(routes[i].Handlers)
	}
}

func (w *routeWalk) unreachedOf(list []caddyhttp.MiddlewareHandler) {
	for _, h := range list {
		switch h := h.(type) {
		case routeGuard:
			if h.decides() {
				w.lost[h] = true
			}
		case *caddyhttp.Subroute:
			w.unreached(h.Routes)
		}
	}
}

func (w *routeWalk) handler(h caddyhttp.MiddlewareHandler, s headerState) (ends bool) {
	switch h := h.(type) {
	case routeGuard:
		w.guards = append(w.guards, h)
		if b, ok := h.(*BearerAuth); ok {
			w.paths.note(b)
		}
		for _, name := range h.sets() {
			s.out.add(name)
			if h.decides() {
				s.set.add(name)
			}
		}
	case *headers.Handler:
		s.rewritten(h)
	case *rewrite.Rewrite:
		w.paths.rewritten = true
	case *caddyhttp.Subroute:
		if h.Errors != nil {
			w.routes(h.Errors.Routes, s.clone())
		}
		return w.routes(h.Routes, s)
	case *caddyhttp.Invoke:
		return w.invoke(h.Name, s)
	case *intercept.Intercept:
		w.responses(h.HandleResponse, s)
	case *reverseproxy.Handler:
		w.proxy(h, s)
		return len(h.HandleResponse) == 0
	case *caddyhttp.StaticResponse:
		return true
	case *fileserver.FileServer:
		return !h.PassThru
	}
	return false
}

func (w *routeWalk) invoke(name string, s headerState) (ends bool) {
	route := w.server.NamedRoutes[name]
	if route == nil || slices.Contains(w.named, name) {
		return true
	}
	w.named, w.invoked[name] = append(w.named, name), true
	defer func() { w.named = w.named[:len(w.named)-1] }()
	return w.routes(caddyhttp.RouteList{*route}, s)
}

func (w *routeWalk) responses(list []caddyhttp.ResponseHandler, s headerState) {
	for _, response := range list {
		w.routes(response.Routes, s.clone())
	}
}

func (w *routeWalk) proxy(h *reverseproxy.Handler, s headerState) {
	in := s.clone()
	in.rewritten(h.Headers)
	for _, upstream := range h.Upstreams {
		w.found.note(upstream.Dial, in)
	}
	w.responses(h.HandleResponse, s)
}

// rewritten notes what the configuration itself deletes or sets.
func (s headerState) rewritten(h *headers.Handler) {
	if h == nil || h.Request == nil {
		return
	}
	for _, name := range h.Request.Delete {
		s.out.add(name)
	}
	for name := range h.Request.Set {
		s.out.add(http.CanonicalHeaderKey(name))
	}
}

// matchesAll reports whether matchers let every request through: there are none,
// or one is that of our own routes.
func matchesAll(sets caddyhttp.MatcherSets) bool {
	return len(sets) == 0 || slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool {
		if len(set) != 1 {
			return len(set) == 0
		}
		switch m := set[0].(type) {
		case *caddyhttp.MatchPath:
			return len(*m) > 0 && (*m)[0] == "*"
		case caddyhttp.MatchPath:
			return len(m) > 0 && m[0] == "*"
		}
		return false
	})
}
