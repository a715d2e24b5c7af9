package caddymodule

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
)

// placement is where an `oauth_server` stands: what a request has to be to get there.
type placement struct {
	server *caddyhttp.Server
	hosts  [][]string // those of each matcher on the way, of which a request has to be one of each; none for any
	paths  [][]string // as hosts
	others bool       // there is a matcher that is neither
	prefix string     // that was stripped from the path on the way, as `handle_path` does
}

// loginPlace is where a `require_login`, or its handler for the rest of the site, stands.
type loginPlace struct {
	placement

	guard  *RequireLogin
	beside bool // it is the handler for the rest of the site
}

// siteFindings says where the sites and the issuer do not fit together: nobody answers at
// the issuer's URL, and an application that is told of it hears 404.
func (a *App) siteFindings(web *caddyhttp.App) []Finding {
	var places []placement
	for _, name := range slices.Sorted(maps.Keys(web.Servers)) {
		w := placementWalk{server: web.Servers[name]}
		w.routes(web.Servers[name].Routes, placement{server: web.Servers[name]})
		places = append(places, w.found...)
	}
	issuer, err := url.Parse(a.Issuer)
	if err != nil {
		return nil // Check has refused it
	}
	if len(places) == 0 {
		return []Finding{{
			SeverityWarning, "sites", "no site has `oauth_server`, so nobody answers at the issuer " + a.Issuer + ": write it in the site " + issuer.Host +
				", unless another Caddy serves the issuer", "oauth_server", a.issuerField(),
		}}
	}
	var found []Finding
	for _, p := range places {
		problem := p.misses(issuer)
		if problem == "" {
			return nil // somebody answers
		}
		found = append(found, Finding{SeverityWarning, "oauth_server", problem, "issuer", a.issuerField()})
	}
	return found
}

func (a *App) issuerField() []zap.Field { return []zap.Field{zap.String("issuer", a.Issuer)} }

// misses says why requests for the issuer's endpoints do not reach a placement, "" where they do.
func (p placement) misses(issuer *url.URL) string {
	base := strings.TrimRight(issuer.Path, "/")
	if hosts := without(p.hosts, coversHost, issuer.Hostname()); hosts != nil {
		return fmt.Sprintf("`oauth_server` is on the host %s and the issuer is %s: write it in the site %s, or change the issuer", strings.Join(hosts, ", "), issuer, issuer.Host)
	}
	if p.prefix != "" {
		return fmt.Sprintf("`oauth_server` is in a block that strips %s from the path, such as `handle_path`, and its endpoints are below the path of the issuer %s: "+
			"write `handle %s/*` in the place of `handle_path`", p.prefix, issuer, p.prefix)
	}
	for _, endpoint := range []string{"/authorize", "/oauth/token", "/.well-known/openid-configuration"} {
		if paths := without(p.paths, coversPath, base+endpoint); paths != nil {
			return fmt.Sprintf("`oauth_server` has the path matcher %s, which keeps %s%s from it: leave the matcher out, since it takes its own paths alone",
				strings.Join(paths, " "), base, endpoint)
		}
	}
	if p.others {
		return "`oauth_server` stands behind a matcher that looks at more than host and path, and whoever does not match hears 404: leave the matcher out"
	}
	if port := portOf(issuer); !trustsProxies(p.server) && !listensOn(p.server, port) {
		return fmt.Sprintf("`oauth_server` is on a site that listens on %s and the issuer %s is on port %d: change one of them, unless a proxy or a mapping of ports is between",
			strings.Join(p.server.Listen, " "), issuer, port)
	}
	return ""
}

// without returns the first of the matchers that keeps something out, nil where all let it through.
func without(matchers [][]string, covers func(pattern, text string) bool, text string) []string {
	for _, patterns := range matchers {
		if !slices.ContainsFunc(patterns, func(pattern string) bool { return covers(pattern, text) }) {
			return patterns
		}
	}
	return nil
}

// coversHost reports whether a host matcher lets a host through. A placeholder may.
func coversHost(pattern, host string) bool {
	if strings.Contains(pattern, "{") || strings.EqualFold(pattern, host) {
		return true
	}
	_, domain, _ := strings.Cut(host, ".")
	rest, wildcard := strings.CutPrefix(pattern, "*.")
	return wildcard && strings.EqualFold(rest, domain)
}

// coversPath reports whether a path matcher lets a path through. A placeholder may.
func coversPath(pattern, requested string) bool {
	pattern, requested = strings.ToLower(pattern), strings.ToLower(requested)
	if strings.Contains(pattern, "{") || pattern == "*" || pattern == requested {
		return true
	}
	if prefix, any := strings.CutSuffix(pattern, "*"); any && !strings.Contains(prefix, "*") {
		return strings.HasPrefix(requested, prefix)
	}
	matches, err := path.Match(pattern, requested)
	return err != nil || matches
}

func portOf(u *url.URL) uint {
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint(port)
	}
	if u.Scheme == "http" {
		return caddyhttp.DefaultHTTPPort
	}
	return caddyhttp.DefaultHTTPSPort
}

// listensOn reports whether a server listens on a port, or where that cannot be said.
func listensOn(server *caddyhttp.Server, port uint) bool {
	for _, listen := range server.Listen {
		address, err := caddy.ParseNetworkAddress(listen)
		if err != nil || address.IsUnixNetwork() || address.IsFdNetwork() || address.StartPort <= port && port <= address.EndPort {
			return true
		}
	}
	return len(server.Listen) == 0
}

// placementWalk finds each `oauth_server` of a server.
type placementWalk struct {
	server *caddyhttp.Server
	named  []string // the named routes that it is in
	found  []placement
	logins []loginPlace
}

func (w *placementWalk) routes(routes caddyhttp.RouteList, at placement) {
	for i := range routes {
		w.handlers(routes[i].Handlers, at.narrowed(routes[i].MatcherSets))
	}
}

func (w *placementWalk) handlers(list []caddyhttp.MiddlewareHandler, at placement) {
	for _, h := range list {
		switch h := h.(type) {
		case *OAuthServer:
			w.found = append(w.found, at)
		case *RequireLogin:
			guard := h
			if h.SiteOnly {
				guard = h.beside
			}
			w.logins = append(w.logins, loginPlace{at, guard, h.SiteOnly})
		case *rewrite.Rewrite:
			at.prefix += h.StripPathPrefix
		case *caddyhttp.Subroute:
			w.routesOf(h.Routes, &at)
		case *caddyhttp.Invoke:
			route := w.server.NamedRoutes[h.Name]
			if route == nil || slices.Contains(w.named, h.Name) {
				continue
			}
			w.named = append(w.named, h.Name)
			w.routes(caddyhttp.RouteList{*route}, at)
			w.named = w.named[:len(w.named)-1]
		}
	}
}

// routesOf walks the routes of a block, in which a rewrite acts on those that follow.
func (w *placementWalk) routesOf(routes caddyhttp.RouteList, at *placement) {
	in := *at
	for i := range routes {
		w.handlers(routes[i].Handlers, in.narrowed(routes[i].MatcherSets))
		if len(routes[i].MatcherSets) > 0 {
			continue
		}
		for _, h := range routes[i].Handlers {
			if r, ok := h.(*rewrite.Rewrite); ok {
				in.prefix += r.StripPathPrefix
			}
		}
	}
}

// narrowed returns the placement behind matchers, one of which lets a request through.
func (p placement) narrowed(sets caddyhttp.MatcherSets) placement {
	var hosts, paths []string
	anyHost, anyPath, others := len(sets) == 0, len(sets) == 0, len(sets) > 0
	for _, set := range sets {
		m := readMatchers(set)
		hosts, paths = append(hosts, m.hosts...), append(paths, m.paths...)
		anyHost, anyPath, others = anyHost || m.hosts == nil, anyPath || m.paths == nil, others && m.others
	}
	if !anyHost {
		p.hosts = append(slices.Clip(p.hosts), hosts)
	}
	if !anyPath {
		p.paths = append(slices.Clip(p.paths), paths)
	}
	p.others = p.others || others
	return p
}

// matched is what one set of matchers lets through.
type matched struct {
	hosts, paths []string // nil for any
	others       bool     // there is a matcher that is neither
}

// readMatchers reads one set, all of which have to match.
func readMatchers(set caddyhttp.MatcherSet) (m matched) {
	for _, matcher := range set {
		switch matcher := matcher.(type) {
		case *caddyhttp.MatchHost:
			m.hosts = *matcher
		case caddyhttp.MatchHost:
			m.hosts = matcher
		case *caddyhttp.MatchPath:
			m.paths = *matcher
		case caddyhttp.MatchPath:
			m.paths = matcher
		case *caddyhttp.MatchProtocol, caddyhttp.MatchProtocol:
		default:
			m.others = true
		}
	}
	return m
}
