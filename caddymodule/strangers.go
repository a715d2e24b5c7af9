package caddymodule

import (
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// checkStrangers checks what is said of clients that no block names.
func (a *App) checkStrangers() error {
	if a.ClientRegistration == nil {
		return nil
	}
	if len(a.LoginsRaw) == 0 {
		return grammar.Within("client_registration", grammar.Wrong("", "its clients have users, and nobody can log in: add a login, such as `login local { … }`"))
	}
	return grammar.Within("client_registration", a.ClientRegistration.Check(a.APIs))
}

// forStrangers reports whether clients that nobody registered may ask for an API.
func (a *App) forStrangers(api string) bool {
	return a.ClientRegistration != nil && slices.Contains(a.ClientRegistration.APIs, api)
}

// accessTokenLifetime is how long the access tokens of an API live. An MCP client that has to
// refresh often does so from several processes at once; the denylist makes an hour safe.
func (a *App) accessTokenLifetime(api *API) time.Duration {
	if api.AccessTokenLifetime == 0 && a.forStrangers(api.Identifier) {
		return strangerAccessLifetime
	}
	return api.accessTokenLifetime()
}

// strangerWarnings are what of clients that no block names is most likely not meant so.
func (a *App) strangerWarnings() (found []string) {
	for _, api := range a.APIs {
		if a.forStrangers(api.Identifier) && !api.AllowOfflineAccess {
			found = append(found, api.Identifier+" has no `allow_offline_access`, so clients that register themselves get no refresh token for it and people sign in each hour: add it to the api")
		}
	}
	return found
}
