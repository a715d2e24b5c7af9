package tokens

import "slices"

// maxTargets bounds the APIs that one request names.
const maxTargets = 20

// targets checks `audience` and `resource` values against the client's APIs,
// and drops empty and repeated ones. See RFC 8707 §2.
func (i *Issuer) targets(c *Client, asked []string) ([]string, error) {
	if len(asked) > maxTargets {
		return nil, refuse(InvalidTarget, ReasonWrongAudience, "Too many values of resource.")
	}
	var out []string
	for _, t := range asked {
		if t == "" || slices.Contains(out, t) {
			continue
		}
		if !i.registered(c, t) {
			return nil, refuse(InvalidTarget, ReasonWrongAudience, "The audience or resource is not an API of this application.")
		}
		out = append(out, t)
	}
	return out, nil
}

// orDefault returns the targets of a request, or where it has none the default
// API, if the client may use that: Auth0's default audience.
func (i *Issuer) orDefault(c *Client, targets []string) []string {
	if len(targets) > 0 {
		return targets
	}
	for _, api := range i.cfg.APIs {
		if api.Default && i.registered(c, api.Identifier) {
			return []string{api.Identifier}
		}
	}
	return nil
}

// apiScopes returns the scopes that a client may have at an API.
func (i *Issuer) apiScopes(c *Client, audience string) []string {
	api, ok := i.API(audience)
	if !ok {
		return nil
	}
	if len(c.Scopes) == 0 {
		return api.Scopes
	}
	return common(api.Scopes, c.Scopes)
}

// grantable returns those of the asked scopes that a person can grant to the
// client. Unknown ones are dropped, as OpenID Connect Core §3.1.2.1 wishes, and
// so is offline_access where no refresh token is to be had.
func (i *Issuer) grantable(c *Client, asked, audiences []string) []string {
	allowed := []string{ScopeOpenID, ScopeProfile, ScopeEmail}
	if i.mayRefresh(c, audiences) {
		allowed = append(allowed, ScopeOfflineAccess)
	}
	for _, a := range audiences {
		for _, scope := range i.apiScopes(c, a) {
			if !slices.Contains(allowed, scope) {
				allowed = append(allowed, scope)
			}
		}
	}
	return common(allowed, asked) // in one order, so that equal grants are one text
}

// mayRefresh reports whether the client can get a refresh token for these
// audiences: it is OIDC-conformant or has named an audience, and an API among
// them has offline access on.
func (i *Issuer) mayRefresh(c *Client, audiences []string) bool {
	if !c.MayUse(GrantRefreshToken) {
		return false
	}
	if len(audiences) == 0 {
		return c.OIDCConformant
	}
	return slices.ContainsFunc(audiences, i.offlineAllowed)
}

func (i *Issuer) offlineAllowed(audience string) bool {
	api, ok := i.API(audience)
	return ok && api.AllowOfflineAccess
}

// scopesFor returns the part of the granted scopes that an access token for
// one audience carries: the API's and the gateway's own.
func (i *Issuer) scopesFor(c *Client, granted []string, audience string) []string {
	allowed := slices.Concat(ReservedScopes, i.apiScopes(c, audience))
	return common(granted, allowed)
}
