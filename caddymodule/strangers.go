package caddymodule

import (
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
)

// strangers are the blocks for clients that no other block names.
func (a *App) strangers() (blocks []*StrangerOptions) {
	if a.ClientRegistration != nil {
		blocks = append(blocks, &a.ClientRegistration.StrangerOptions)
	}
	if a.ClientDocuments != nil {
		blocks = append(blocks, &a.ClientDocuments.StrangerOptions)
	}
	return blocks
}

// checkStrangers checks what is said of clients that no block names.
func (a *App) checkStrangers() error {
	check := func(block string, of func([]*API) error) error {
		if len(a.LoginsRaw) == 0 {
			return grammar.Within(block, grammar.Wrong("", "its clients have users, and nobody can log in: add a login, such as `login local { … }`"))
		}
		return grammar.Within(block, of(a.APIs))
	}
	if a.ClientRegistration != nil {
		if err := check("client_registration", a.ClientRegistration.Check); err != nil {
			return err
		}
	}
	if a.ClientDocuments != nil {
		return check("client_documents", a.ClientDocuments.Check)
	}
	return nil
}

// forStrangers reports whether clients that no block names may ask for an API.
func (a *App) forStrangers(api string) bool {
	return slices.ContainsFunc(a.strangers(), func(o *StrangerOptions) bool { return slices.Contains(o.APIs, api) })
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
			found = append(found, fmt.Sprintf("%s has no `allow_offline_access`, so clients that register themselves, or publish their metadata, get no refresh token for it and people sign in each hour: add it to the api", api.Identifier))
		}
	}
	return found
}
