package caddymodule

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// clientFindings are what of the issuer and the clients may not be meant so.
func (a *App) clientFindings() []Finding {
	var found []Finding
	if !strings.HasSuffix(a.Issuer, "/") {
		found = append(found, Finding{
			SeverityInfo, "oauth", "the issuer does not end in a slash: Auth0's SDKs compare it with one, so write " + a.Issuer + "/ if an application uses them", "issuer", nil,
		})
	}
	for _, c := range a.Clients {
		for _, w := range c.warnings(a.APIs) {
			found = append(found, Finding{SeverityWarning, c.block(), w, "", nil})
		}
		found = append(found, c.addressFindings(a.Issuer)...)
	}
	block := "client_registration"
	if a.ClientRegistration == nil {
		block = "client_documents"
	}
	for _, w := range a.strangerWarnings() {
		found = append(found, Finding{SeverityWarning, block, w, "apis", nil})
	}
	if r := a.ClientRegistration; r != nil && r.Access == accessToken {
		found = append(found, Finding{
			SeverityInfo, "client_registration",
			"MCP clients cannot send a registration token, and discovery does not name the endpoint to them: write `access open` if they are who is to register", "access", nil,
		})
	}
	return found
}

// addressFindings say where the addresses of a client do not make sense together.
func (c *Client) addressFindings(issuer string) (found []Finding) {
	warn := func(option, format string, args ...any) {
		found = append(found, Finding{SeverityWarning, c.block(), fmt.Sprintf(format, args...), option, nil})
	}
	local := oauth.IsLoopbackHost(hostOf(issuer))
	hosts := make([]string, 0, len(c.RedirectURIs))
	for _, uri := range c.RedirectURIs {
		origin, host := oauth.OriginOf(uri), hostOf(uri)
		hosts = append(hosts, host)
		if c.kind() == clients.SPA && origin != "" && !slices.Contains(c.origins(), origin) {
			warn("origins", "%s is of the origin %s, which origins lacks, so its page cannot ask for tokens: add it, or leave origins out for those of all redirect_uris", uri, origin)
		}
		if c.kind() != clients.Native && !local && oauth.IsLoopbackHost(host) {
			warn("redirect_uris", "%s is on the machine of whoever signs in, and the issuer is not: any program there gets the answer; take it out of production", uri)
		}
	}
	for _, uri := range c.LogoutURIs {
		if host := hostOf(uri); host != "" && len(hosts) > 0 && !slices.Contains(hosts, host) {
			warn("logout_uris", "%s is on a host that none of redirect_uris is on: make sure that it is the application's", uri)
		}
	}
	if c.kind() == clients.Web && len(c.Origins) > 0 {
		found = append(found, Finding{
			SeverityInfo, c.block(), "origins are for scripts in a browser, and `type web` asks for tokens from its server: leave them out unless it does both", "origins", nil,
		})
	}
	return found
}

// hostOf returns the host of an http or https URL, "" for any other.
func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || !isWeb(u) {
		return ""
	}
	return u.Hostname()
}
