package tokens

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// maxTargets bounds the APIs that one request names.
const maxTargets = 20

// targets checks `audience` and `resource` values against the client's APIs,
// and drops empty and repeated ones. See RFC 8707 §2.
func (i *Issuer) targets(c *clients.Client, asked []string) ([]string, error) {
	if len(asked) > maxTargets {
		return nil, oauth.Refuse(oauth.InvalidTarget, oauth.ReasonWrongAudience, "Too many values of resource.")
	}
	var out []string
	for _, t := range asked {
		if t == "" {
			continue
		}
		api, ok := i.identifierOf(c.APIs, t)
		if !ok || !i.registered(c, api) {
			return nil, oauth.Refuse(oauth.InvalidTarget, oauth.ReasonWrongAudience, "The audience or resource is not an API of this application.").
				With(oauth.Mismatch{Sent: oauth.PrintableURI(t), Registered: c.APIs, Option: "apis"})
		}
		if !slices.Contains(out, api) {
			out = append(out, api)
		}
	}
	return out, nil
}

// identifierOf returns which of the identifiers a client means, as it is
// configured: the one with that very text, or else the same resource, or else the longest
// that it lies below.
func identifierOf(identifiers []string, asked string) (string, bool) {
	if slices.Contains(identifiers, asked) {
		return asked, true
	}
	best := ""
	for _, id := range identifiers {
		switch {
		case oauth.SameResource(id, asked):
			return id, true
		case len(id) > len(best) && oauth.BelowResource(id, asked):
			best = id
		}
	}
	return best, best != ""
}

// identifierOf is identifierOf for what is configured: what is, or lies below, another API of the
// configuration than the identifiers name is not meant to be the API that it lies below.
func (i *Issuer) identifierOf(identifiers []string, asked string) (string, bool) {
	api, ok := identifierOf(identifiers, asked)
	for _, other := range i.cfg.APIs {
		if id := other.Identifier; ok && len(id) > len(api) && oauth.BelowResource(api, id) && (oauth.SameResource(id, asked) || oauth.BelowResource(id, asked)) {
			return "", false
		}
	}
	return api, ok
}

// orDefault returns the targets of a request, or where it has none the default
// API, if the client may use that: Auth0's default audience.
func (i *Issuer) orDefault(c *clients.Client, targets []string) []string {
	if len(targets) > 0 {
		return targets
	}
	for _, api := range i.cfg.APIs {
		if api.Default && i.registered(c, api.Identifier) {
			return []string{api.Identifier}
		}
	}
	if c.Unregistered() && len(c.APIs) > 0 && i.registered(c, c.APIs[0]) {
		return c.APIs[:1]
	}
	return nil
}

// withUsual adds to the scopes that are asked for at some APIs what the client gets unasked:
// its usual ones where it asks for none of those APIs, and a refresh token.
func (i *Issuer) withUsual(c *clients.Client, asked, audiences []string) []string {
	has := slices.ContainsFunc(audiences, func(api string) bool { return len(oauth.CommonScope(asked, i.apiScopes(c, api))) > 0 })
	if !has {
		asked = slices.Concat(asked, c.Usual)
	}
	if c.Refresh.Always && len(audiences) > 0 {
		asked = append(slices.Clip(asked), oauth.ScopeOfflineAccess)
	}
	return asked
}

// cut returns what a client that nobody has registered gets of the scopes that a token could
// have: what it asks for, and where nothing of the API is left its usual ones, or else all that
// was granted, as at its sign-in.
func cut(c *clients.Client, scopes, asked []string) []string {
	ofAPI := slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return slices.Contains(oauth.ReservedScopes, scope) })
	for _, more := range [][]string{nil, c.Usual, ofAPI} {
		if left := slices.Concat(asked, more); len(oauth.CommonScope(ofAPI, left)) > 0 {
			return oauth.CommonScope(scopes, left)
		}
	}
	return scopes // which are none of an API's
}

// apiScopes returns the scopes that a client may have at an API.
func (i *Issuer) apiScopes(c *clients.Client, audience string) []string {
	api, ok := i.API(audience)
	if !ok {
		return nil
	}
	if len(c.Scopes) == 0 {
		return api.Scopes
	}
	return oauth.CommonScope(api.Scopes, c.Scopes)
}

// grantable returns those of the asked scopes that a person can grant to the
// client. Unknown ones are dropped, as OpenID Connect Core §3.1.2.1 wishes, and
// so is offline_access where no refresh token is to be had.
func (i *Issuer) grantable(c *clients.Client, asked, audiences []string) []string {
	allowed := []string{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail}
	if i.cfg.People != nil {
		allowed = append(allowed, oauth.ScopeGroups)
	}
	if i.mayRefresh(c, audiences) {
		allowed = append(allowed, oauth.ScopeOfflineAccess)
	}
	for _, a := range audiences {
		for _, scope := range i.apiScopes(c, a) {
			if !slices.Contains(allowed, scope) {
				allowed = append(allowed, scope)
			}
		}
	}
	return oauth.CommonScope(allowed, asked) // in one order, so that equal grants are one text
}

// mayRefresh reports whether the client can get a refresh token for these
// audiences: it is OIDC-conformant or has named an audience, and an API among
// them has offline access on.
func (i *Issuer) mayRefresh(c *clients.Client, audiences []string) bool {
	if !c.MayUse(oauth.GrantRefreshToken) {
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
func (i *Issuer) scopesFor(c *clients.Client, granted []string, audience string) []string {
	allowed := slices.Concat(oauth.ReservedScopes, i.apiScopes(c, audience))
	return oauth.CommonScope(granted, allowed)
}

// registered reports whether an API is (still) one of the client's.
func (i *Issuer) registered(c *clients.Client, audience string) bool {
	_, ok := i.API(audience)
	return ok && slices.Contains(c.APIs, audience)
}
