package caddymodule

import (
	"fmt"
	"slices"
)

// warnings are findings that may be meant so.
func (c *Client) warnings(apis []*API) []string {
	var found []string
	for _, uri := range slices.Concat(c.RedirectURIs, c.LogoutURIs) {
		if plainScheme(uri) {
			found = append(found, fmt.Sprintf("%s has a scheme without a dot, which other applications on the device may claim: "+
				"take a domain of yours in reverse, such as com.example.app (RFC 8252 §7.1)", uri))
		}
	}
	if c.PKCE != nil && !*c.PKCE {
		found = append(found, "pkce is off, so a stolen code is only protected by the client's secret (RFC 9700 §2.1.1): switch it on as soon as the application can")
	}
	if c.RefreshToken != nil && !c.mayRefresh(apis) {
		found = append(found, "it has a refresh_token block and gets no refresh token for any API: add allow_offline_access to the block of one of its apis, or leave refresh_token out")
	}
	return found
}

// mayRefresh reports whether the client can get a refresh token for an API, or,
// where it has none, for the userinfo endpoint.
func (c *Client) mayRefresh(apis []*API) bool {
	if len(c.APIs) == 0 {
		return c.OIDCConformant == nil || *c.OIDCConformant
	}
	return slices.ContainsFunc(apis, func(a *API) bool { return a.AllowOfflineAccess && slices.Contains(c.APIs, a.Identifier) })
}
