package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/handler/site"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/sites"
)

// loginPlaces finds all of them.
func loginPlaces(web *caddyhttp.App) (found []loginPlace) {
	for _, name := range slices.Sorted(maps.Keys(web.Servers)) {
		w := placementWalk{server: web.Servers[name]}
		w.routes(web.Servers[name].Routes, placement{server: web.Servers[name]})
		found = append(found, w.logins...)
	}
	return found
}

// origins returns where a guard stands: as it says, else the https hosts of its sites, and those on loopback. A
// handler never learns it of a request, whose Host is the client's own word.
func (l *RequireLogin) origins(web *caddyhttp.App, places []loginPlace) ([]string, error) {
	if len(l.Origins) > 0 {
		return l.Origins, nil
	}
	const say = "write `origin https://<host>` for each, as browsers call it"
	var origins []string
	for _, p := range places {
		if p.guard != l || p.beside {
			continue
		}
		if len(p.hosts) == 0 {
			return nil, errors.New("origin: the site answers to any host, and cookies and the way back are of one: " + say)
		}
		for _, host := range p.named() {
			origin, err := p.originOf(web, host)
			if err != nil {
				return nil, fmt.Errorf("origin: %w: %s", err, say)
			}
			if !slices.Contains(origins, origin) {
				origins = append(origins, origin)
			}
		}
	}
	if len(origins) == 0 {
		return nil, errors.New("origin: it is not to be seen at which site this is: " + say)
	}
	return origins, nil
}

// named returns the hosts, of those that the matchers name, whose requests get to a place.
func (p placement) named() (hosts []string) {
	for _, host := range slices.Concat(p.hosts...) {
		if without(p.hosts, coversHost, host) == nil && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// originOf returns the origin of a host at a place.
func (p placement) originOf(web *caddyhttp.App, host string) (string, error) {
	if strings.ContainsAny(host, "*{}") {
		return "", fmt.Errorf("the site has the host %s, which stands for several", host)
	}
	scheme, usual := "https", []int{caddyhttp.DefaultHTTPSPort, web.HTTPSPort}
	if auto := p.server.AutoHTTPS; len(p.server.TLSConnPolicies) == 0 || auto != nil && slices.Contains(auto.Skip, host) {
		if scheme, usual = "http", []int{caddyhttp.DefaultHTTPPort, web.HTTPPort}; !oauth.IsLoopbackHost(host) {
			return "", fmt.Errorf("the site %s is http here, and browsers keep no cookie of ours but of https or a loopback address", host)
		}
	}
	var ports []uint
	for _, listen := range p.server.Listen {
		address, err := caddy.ParseNetworkAddress(listen)
		if err != nil || address.StartPort == 0 {
			continue
		}
		ports = append(ports, address.StartPort)
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	name := strings.ToLower(host)
	if strings.Contains(name, ":") { // RFC 3986 §3.2.2
		name = "[" + name + "]"
	}
	switch {
	case len(ports) != 1:
		return "", fmt.Errorf("the site %s listens on several ports, or on a socket", host)
	case slices.Contains(usual, int(ports[0])):
		return scheme + "://" + name, nil
	}
	return fmt.Sprintf("%s://%s:%d", scheme, name, ports[0]), nil
}

// checkReached refuses sites whose own pages would be out of reach: the way back from the
// sign-in would end in nothing.
func checkReached(places []loginPlace, made map[string]*site.Site) error {
	for _, origin := range slices.Sorted(maps.Keys(made)) {
		u, err := url.Parse(origin)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(places, func(p loginPlace) bool { return p.reaches(u.Hostname()) }) {
			return fmt.Errorf("require_login: %s: requests for /.gatehouse/* do not get to it, which is where people come back from the sign-in: "+
				"put require_login, with its matcher, ahead of the blocks of the site (`require_login /admin/* { … }`)", origin)
		}
	}
	return nil
}

// reaches reports whether requests for our own paths at a host get there.
func (p placement) reaches(host string) bool {
	return without(p.hosts, coversHost, host) == nil && without(p.paths, coversPath, sites.CallbackPath) == nil && p.prefix == "" && !p.others
}
