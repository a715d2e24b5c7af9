package caddymodule

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// providerFacts are what is known of an identity provider beyond what it publishes.
type providerFacts struct {
	strangers   string        // that somebody unknown can make an account there; "" where not
	mayRegister string        // the same, where who runs it can turn that off
	refresh     refreshKind   // how it is brought to give a refresh token
	minRecheck  time.Duration // how often it lets itself be asked
	noSignOut   bool          // it has no address to sign out at
	noGroups    bool          // it tells of no groups
}

// refreshKind is how a provider is brought to give a refresh token, without which it
// cannot be asked again.
type refreshKind uint8

const (
	refreshByScope     refreshKind = iota // scope offline_access (OpenID Connect Core §11)
	refreshByParameter                    // access_type=offline, as Google has it
	refreshAlways                         // it needs nothing
	refreshNever                          // it gives none
)

// knownProviders are providers by their issuers. What is known is from their public pages.
var knownProviders = map[string]providerFacts{
	"https://accounts.google.com": {
		strangers: "anybody can have a Google account", refresh: refreshByParameter, minRecheck: 15 * time.Minute, noSignOut: true, noGroups: true,
	},
	"https://appleid.apple.com": {
		strangers: "anybody can have an Apple Account", refresh: refreshAlways, minRecheck: 24 * time.Hour, noSignOut: true, noGroups: true,
	},
	"https://gitlab.com":                {strangers: "anybody can make an account at GitLab.com", refresh: refreshAlways},
	"https://www.linkedin.com/oauth":    {strangers: "anybody can make an account at LinkedIn", refresh: refreshNever, noSignOut: true, noGroups: true},
	"https://slack.com":                 {strangers: "anybody can make a workspace of Slack", refresh: refreshNever, noSignOut: true, noGroups: true},
	"https://id.twitch.tv/oauth2":       {strangers: "anybody can make an account at Twitch", refresh: refreshAlways, noSignOut: true},
	"https://access.line.me":            {strangers: "anybody can make an account at LINE", refresh: refreshAlways, noSignOut: true},
	entraHost + entraPersonal + "/v2.0": {strangers: personalAccounts},
}

const personalAccounts = "anybody can have a personal account of Microsoft"

// The issuers of Entra.
const (
	entraHost     = "https://login.microsoftonline.com/"
	entraTemplate = entraHost + tenantTemplate + "/v2.0"
	entraPersonal = "9188040d-6c67-4c5b-b112-36a304b66dad" // the tenant of personal accounts
)

// knownProvider returns what is known of the provider of a login.
func knownProvider(issuer string, tenants []string) providerFacts {
	if issuer == entraTemplate && slices.Contains(tenants, entraPersonal) {
		return providerFacts{strangers: personalAccounts}
	}
	if known, ok := knownProviders[issuer]; ok {
		return known
	}
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
	case strings.HasSuffix(u.Hostname(), ".auth0.com"):
		return providerFacts{mayRegister: "a database of users at Auth0 may let anybody sign up"}
	case strings.HasPrefix(u.Hostname(), "cognito-idp.") && strings.HasSuffix(u.Hostname(), ".amazonaws.com"):
		return providerFacts{mayRegister: "a user pool of Cognito may let anybody sign up", refresh: refreshAlways}
	}
	return providerFacts{}
}
