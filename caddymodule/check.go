package caddymodule

import (
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// Check finds what the text of the configuration shows to be wrong.
func (a *App) Check() error {
	return grammar.FirstOf(
		func() error { return checkIssuer("issuer", a.Issuer) },
		a.checkPreviousIssuer,
		func() error { return checkSecrets(a.Secrets) },
		func() error { return grammar.Within("denylist", a.Denylist.Check()) },
		a.checkTokenCache,
		func() error { return grammar.Within("signing", a.Signing.Check()) },
		func() error { return grammar.Within("session", a.Session.Check()) },
		func() error { return grammar.Within("theme", a.Theme.Check()) },
		a.checkLogins,
		a.checkGroups,
		a.checkAPIs,
		func() error { return a.checkClients(storage.TagClient) },
		a.checkStrangers,
		a.checkRules,
	)
}

// checkPreviousIssuer checks that it is one that there can have been.
func (a *App) checkPreviousIssuer() error {
	if a.PreviousIssuer == "" {
		return nil
	}
	if a.PreviousIssuer == a.Issuer {
		return grammar.Wrong("previous_issuer", "it is the issuer itself: remove the line, or write the URL that it had before")
	}
	return checkIssuer("previous_issuer", a.PreviousIssuer)
}

func (a *App) checkAPIs() error {
	seen := make(map[string]bool)
	for _, api := range a.APIs {
		if api == nil {
			return grammar.Within("apis", grammar.Wrong("", "there is a null in the list: leave it out"))
		}
		if seen[api.Identifier] {
			return grammar.Within(api.block(), grammar.Wrong("", "duplicate API: put all of its options in one block"))
		}
		seen[api.Identifier] = true
	}
	usual := ""
	for _, api := range a.APIs {
		if err := api.Check(); err != nil {
			return grammar.Within(api.block(), err)
		}
		switch {
		case api.Identifier == tokens.UserinfoAudience(a.Issuer):
			return grammar.Within(api.block(), grammar.Wrong("", "this is the audience of tokens that are for no API, which would pass its guard: choose another identifier"))
		case api.Default && usual != "":
			return grammar.Within(api.block(), grammar.Wrong("default", "%s is the default already: keep one", usual))
		case api.Default:
			usual = api.Identifier
		}
	}
	return nil
}

// checkClients checks each client and that no two share an ID or a tag.
func (a *App) checkClients(tag func(string) storage.ClientTag) error {
	seen := make(map[storage.ClientTag]string)
	for _, c := range a.Clients {
		if c == nil {
			return grammar.Within("clients", grammar.Wrong("", "there is a null in the list: leave it out"))
		}
		switch other, taken := seen[tag(c.ID)]; {
		case taken && other == c.ID:
			return grammar.Within(c.block(), grammar.Wrong("", "duplicate client: put all of its options in one block"))
		case taken:
			return grammar.Within(c.block(), grammar.Wrong("", "its client_id has the same 64-bit hash as %s: change one of them", other))
		}
		seen[tag(c.ID)] = c.ID
	}
	for _, c := range a.Clients {
		if err := c.Check(); err != nil {
			return grammar.Within(c.block(), err)
		}
		if err := c.checkAPIs(a.APIs); err != nil {
			return grammar.Within(c.block(), err)
		}
		if err := c.checkLogins(a.LoginsRaw); err != nil {
			return grammar.Within(c.block(), err)
		}
		if c.kind() != clients.Machine && slices.ContainsFunc(a.APIs, func(api *API) bool { return api.Identifier == c.ID }) {
			return grammar.Within(c.block(), grammar.Wrong("", "its client_id is the identifier of an API, whose own check could take its ID tokens, which have the client_id as audience, for access tokens: change one of them"))
		}
		if err := c.checkCookie(a.Issuer); err != nil {
			return grammar.Within(c.block(), grammar.Within("refresh_token", err))
		}
		if c.MTLS != nil && strings.HasPrefix(a.Issuer, "http:") {
			return grammar.Within(c.block(), grammar.Within("mtls", grammar.Wrong("", "an http issuer sees no certificates: use an https one, or leave mtls out")))
		}
		if c.kind() != clients.Machine && len(a.LoginsRaw) == 0 {
			return grammar.Within(c.block(), grammar.Wrong("", "`type %s` has users, and nobody can log in: add a login, such as `login local { … }`", c.Type))
		}
	}
	return nil
}

// minTokenCache is the least that is of use: some hundred tokens.
const minTokenCache = 1 << 20

// maxTokenCache is more than any gateway has tokens for. A slip of a unit beyond
// it would end Caddy at once: the cache's counters are made at the start.
const maxTokenCache = 64 << 30

// checkTokenCache checks the option token_cache.
func (a *App) checkTokenCache() error {
	if a.TokenCache != 0 && a.TokenCache < minTokenCache {
		return grammar.Wrong("token_cache", "%d bytes hold too few tokens to be of use: take at least 1MiB, or leave it out for %s",
			a.TokenCache, humanize.IBytes(verify.DefaultCacheBytes))
	}
	if a.TokenCache > maxTokenCache {
		return grammar.Wrong("token_cache", "%d bytes are more than it can be given: take at most 64GiB", a.TokenCache)
	}
	return nil
}
