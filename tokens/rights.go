package tokens

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// HasGroups reports whether the configuration knows of any.
func (i *Issuer) HasGroups() bool { return i.cfg.People != nil }

// groups returns the groups that a person is in: by the configuration as it is now, and
// by what is kept of what their provider has sent.
func (i *Issuer) groups(p *Profile) []string {
	if p == nil {
		return nil // a machine has none
	}
	return i.cfg.People.Of(p.user(), p.Groups)
}

// allowedScopes returns those of the scopes, of an API or the gateway's own, that a person
// in these groups has. See RFC 6749 §3.3.
func (i *Issuer) allowedScopes(scopes []string, audiences []string, groups []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		ruled := false
		for _, a := range audiences {
			api, ok := i.API(a)
			if !ok || !slices.Contains(api.Scopes, scope) {
				continue
			}
			if api.ScopeFor[scope].Allows(groups) {
				return false // of two APIs with this scope, one is enough here
			}
			ruled = true
		}
		return ruled
	})
}

// ScopesOf returns those of the scopes asked for at these APIs that a person has: what they
// can agree to.
func (i *Issuer) ScopesOf(l *Login, scopes, audiences []string) []string {
	return i.allowedScopes(scopes, audiences, i.groups(&l.Profile))
}

// personScopes returns the part of an access token's scopes that the person has.
func (i *Issuer) personScopes(scopes []string, audience string, p *Profile) []string {
	if api, ok := i.API(audience); !ok || len(api.ScopeFor) == 0 {
		return scopes
	}
	return i.allowedScopes(scopes, []string{audience}, i.groups(p))
}

// mayEnter refuses a person whom a client is not for.
func (i *Issuer) mayEnter(c *clients.Client, p *Profile) error {
	if missing := c.For.Missing(i.groups(p)); missing != nil {
		return oauth.Refuse(oauth.AccessDenied, oauth.ReasonNotAllowed, "This account may not use the application.").
			With(oauth.Mismatch{Registered: missing, Option: "for"})
	}
	return nil
}

// addGroups adds the claim groups where scope groups lets it out.
func (i *Issuer) addGroups(claims map[string]any, p *Profile, scopes []string) {
	if slices.Contains(scopes, oauth.ScopeGroups) {
		claims[ClaimGroups] = append([]string{}, i.groups(p)...) // of nobody's groups an empty list
	}
}

// ClaimGroups is the claim of a person's groups, in tokens and in userinfo. See RFC 9068 §2.2.3.1.
const ClaimGroups = "groups"

// personClaims are what an API's access tokens carry of a person.
func (i *Issuer) personClaims(api *clients.API, p *Profile) map[string]any {
	if p == nil || len(api.TokenClaims) == 0 {
		return nil
	}
	claims := make(map[string]any)
	for _, name := range api.TokenClaims {
		if name == ClaimGroups {
			claims[name] = append([]string{}, i.groups(p)...)
		} else if v, ok := p.Claims[name]; ok {
			claims[name] = v
			if verified, ok := p.Claims["email_verified"]; ok && name == "email" {
				claims["email_verified"] = verified // no address leaves without it
			}
		}
	}
	return claims
}
