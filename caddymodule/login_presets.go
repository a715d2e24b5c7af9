package caddymodule

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// preset is a word behind `login` that stands for `oidc` and options of it.
type preset struct {
	usage    string                                        // of its arguments; the last one is the name
	argument func(l *OIDCLogin, argument string) (ok bool) // takes the one beside the name; nil where there is none
	example  string                                        // what is written in its place
	optional bool                                          // it may be left out
	signOut  string                                        // where people sign out, behind the issuer; "" as announced
	options  OIDCLogin                                     // what it sets where the block does not
}

// The words of Entra for more than one directory, and for none.
var (
	entraMany     = []string{"common", "organizations"}
	entraConsumer = "consumers"
)

// presets are the words, and what each stands for.
var presets = map[string]*preset{
	"apple": {usage: "[<name>]", options: OIDCLogin{
		Issuer: "https://appleid.apple.com", Scopes: []string{"openid", "name", "email"}, ResponseMode: formPost,
		ProviderAuth: ProviderAuth{ClientAuth: "post"}, Prompts: []string{"none"}, NoMaxAge: true, NoUserinfo: true,
	}},
	"auth0": {usage: "<domain> [<name>]", argument: (*OIDCLogin).fromDomain, example: "tenant.eu.auth0.com", signOut: "v2/logout"},
	"cognito": {
		usage: "<issuer> [<name>]", argument: (*OIDCLogin).fromURL, example: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
		options: OIDCLogin{GroupsClaims: []string{"cognito:groups"}},
	},
	"entra": {
		usage: "<tenant> [<name>]", argument: (*OIDCLogin).fromTenant, example: "00000000-0000-0000-0000-000000000000",
		options: OIDCLogin{Subject: []string{"oid"}, Prompts: []string{"none", "login", "consent", "select_account"}, GroupsOverage: true},
	},
	"gitlab": {
		usage: "[<url>] [<name>]", argument: (*OIDCLogin).fromURL, optional: true,
		options: OIDCLogin{Issuer: "https://gitlab.com", GroupsClaims: []string{"groups", "groups_direct"}},
	},
	"google": {usage: "[<name>]", options: OIDCLogin{
		Issuer: "https://accounts.google.com", IssuerAlias: "accounts.google.com", Prompts: []string{"none", "consent", "select_account"}, NoMaxAge: true,
	}},
	"keycloak": {usage: "<realm URL> [<name>]", argument: (*OIDCLogin).fromURL, example: "https://id.example.com/realms/staff"},
	"linkedin": {usage: "[<name>]", options: OIDCLogin{
		Issuer: "https://www.linkedin.com/oauth", ProviderAuth: ProviderAuth{ClientAuth: "post"}, Prompts: []string{"none"}, NoMaxAge: true, NoPKCE: true, NoNonce: true,
	}},
	"okta": {
		usage: "<issuer> [<name>]", argument: (*OIDCLogin).fromURL, example: "https://example.okta.com",
		options: OIDCLogin{ProviderAuth: ProviderAuth{ClientAuth: "post"}},
	},
	"slack": {usage: "[<name>]", options: OIDCLogin{Issuer: "https://slack.com", Prompts: []string{"none"}, NoMaxAge: true}},
}

// readArguments reads what stands behind the word, up to the block.
func (p *preset) readArguments(g *grammar.Reader, l *OIDCLogin) error {
	args := g.RemainingArgs()
	if slices.Contains(args, "") {
		return g.Errorf(" has an empty argument: write `%s %s`", g.Name, p.usage)
	}
	if p.argument != nil {
		switch taken := len(args) > 0 && p.argument(l, args[0]); {
		case taken:
			args = args[1:]
		case len(args) == 0 && !p.optional:
			return g.Errorf(" has no value: write `%s %s` (a {$NAME} that is not set leaves none)", g.Name, p.usage)
		case !p.optional:
			return g.Errorf(": %q does not fit: write `%s %s`, such as %s", args[0], g.Name, p.usage, p.example)
		}
	}
	if len(args) > 1 {
		return g.Errorf(" has too many arguments: write `%s %s`", g.Name, p.usage)
	}
	l.Name = cmp.Or(strings.Join(args, ""), strings.TrimPrefix(g.Name, "login "))
	return nil
}

// fromURL takes an issuer.
func (l *OIDCLogin) fromURL(url string) bool {
	l.Issuer = url
	return strings.Contains(url, "://")
}

// fromDomain takes a domain of Auth0, or its issuer, which ends in a slash.
func (l *OIDCLogin) fromDomain(domain string) bool {
	l.Issuer = "https://" + strings.TrimSuffix(strings.TrimPrefix(domain, "https://"), "/") + "/"
	return strings.Contains(domain, ".")
}

// fromTenant takes a tenant of Entra by its ID, or one of the words for several, which end
// in Entra's endpoints for them. By its `oid` a person is known in one tenant alone.
func (l *OIDCLogin) fromTenant(tenant string) bool {
	l.Issuer = entraHost + tenant + "/v2.0"
	switch {
	case tenant == entraConsumer:
		l.Issuer = entraHost + entraPersonal + "/v2.0"
	case slices.Contains(entraMany, tenant):
		l.Issuer = entraTemplate
		l.Endpoints = &LoginEndpoints{Authorization: entraHost + tenant + "/oauth2/v2.0/authorize", Token: entraHost + tenant + "/oauth2/v2.0/token"}
	}
	return tenantID.MatchString(tenant) || l.Issuer != entraHost+tenant+"/v2.0"
}

// fill sets what the preset has and the block does not.
func (p *preset) fill(l *OIDCLogin) {
	o := &p.options
	l.Issuer = cmp.Or(l.Issuer, o.Issuer)
	l.IssuerAlias = cmp.Or(l.IssuerAlias, o.IssuerAlias)
	l.ClientAuth = cmp.Or(l.ClientAuth, o.ClientAuth)
	l.ResponseMode = cmp.Or(l.ResponseMode, o.ResponseMode)
	for _, list := range []struct {
		own   *[]string
		usual []string
	}{
		{&l.Scopes, o.Scopes}, {&l.Prompts, o.Prompts}, {&l.GroupsClaims, o.GroupsClaims},
	} {
		if len(*list.own) == 0 {
			*list.own = list.usual
		}
	}
	if len(l.Subject) == 0 && len(l.Tenants) == 0 {
		l.Subject = o.Subject
	}
	if p.signOut != "" && l.LogoutUpstream && orZero(l.Endpoints).EndSession == "" {
		endpoints := orZero(l.Endpoints)
		endpoints.EndSession = l.Issuer + p.signOut
		l.Endpoints = &endpoints
	}
	l.NoMaxAge = l.NoMaxAge || o.NoMaxAge
	l.NoPKCE = l.NoPKCE || o.NoPKCE
	l.NoNonce = l.NoNonce || o.NoNonce
	l.NoUserinfo = l.NoUserinfo || o.NoUserinfo
	l.GroupsOverage = l.GroupsOverage || o.GroupsOverage
}
