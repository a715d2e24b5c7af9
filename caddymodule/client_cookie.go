package caddymodule

import (
	"fmt"
	"net"
	"net/url"

	"golang.org/x/net/publicsuffix"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// checkCookie checks that a browser would send a client's refresh cookie from
// its pages to the issuer: it is SameSite=Strict, so both must be of one site.
func (c *Client) checkCookie(issuer string) error {
	if !c.RefreshToken.cookie() {
		return nil
	}
	gateway, err := siteOf(issuer)
	if err != nil {
		return err
	}
	for _, origin := range c.origins() {
		site, err := siteOf(origin)
		if err != nil {
			return err
		}
		if site != gateway {
			return grammar.Wrong("cookie", "the pages at %s are of the site %s and the issuer is of %s: browsers send a SameSite=Strict cookie to its own site only; "+
				"serve both under one domain and scheme, such as https://app.example.com and https://auth.example.com, or leave `cookie` out", origin, site, gateway)
		}
	}
	return nil
}

// siteOf returns what browsers take for the site of a URL: its scheme and its
// registrable domain, whatever the port. A host without one, such as localhost
// or an IP address, is a site of its own. See HTML Standard, "same site".
func siteOf(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("reading URL: %w", err)
	}
	host := u.Hostname()
	if net.ParseIP(host) == nil {
		if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
			host = domain
		}
	}
	return u.Scheme + "://" + host, nil
}

// checkCookieClient checks that the client is one that can keep its refresh
// token in a cookie.
func (c *Client) checkCookieClient() error {
	switch {
	case !c.RefreshToken.cookie():
		return nil
	case c.kind() != clients.SPA:
		return grammar.Wrong("cookie", "`type %s` runs in no browser that would keep the cookie: leave it out, or write `type spa`", c.Type)
	case c.RefreshToken.leeway() < minCookieLeeway:
		return grammar.Wrong("leeway", "%s is too short with `cookie`: all tabs of a browser share the token and may use it at once; take at least %s",
			grammar.ShowDuration(c.RefreshToken.leeway()), grammar.ShowDuration(minCookieLeeway))
	}
	return nil
}
