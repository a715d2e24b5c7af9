package caddymodule

import (
	"cmp"
	"crypto/rand"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/state"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// coreConfig returns the configuration as the core has it.
func (a *App) coreConfig(observer oauth.Observer) tokens.Config {
	cfg := tokens.Config{
		Issuer:                a.Issuer,
		Accounts:              login.Accounts(a.logins),
		People:                a.people,
		ACRs:                  login.ACRs(a.logins),
		Providers:             login.Providers(a.logins),
		AccessTokenAlg:        a.Signing.accessTokenAlgorithm(),
		IDTokenAlg:            a.Signing.idTokenAlgorithm(),
		IDTokenLifetime:       a.Signing.idTokenLifetime(),
		UserinfoTokenLifetime: defaultAccessTokenLifetime,
		SessionLifetime:       a.Session.lifetime(),
		SessionIdleLifetime:   a.Session.idleLifetime(),
		CompareHash:           compareHash,
		Proofs:                a.proofs,
		ProofNonces:           a.DPoP.requireNonce(),
		Observer:              observer,
		Clock:                 time.Now,
		Rand:                  rand.Reader,
	}
	for _, api := range a.APIs {
		core := api.core()
		core.AccessTokenLifetime = a.accessTokenLifetime(api)
		cfg.APIs = append(cfg.APIs, core)
	}
	for _, c := range a.Clients {
		cfg.Clients = append(cfg.Clients, c.core())
	}
	cfg.Registration, cfg.Documents = a.ClientRegistration.core(), a.ClientDocuments.core()
	return cfg
}

// coreSettings returns what acts on the state that configurations share, but
// for the secrets.
func (a *App) coreSettings() state.Settings {
	longest := defaultAccessTokenLifetime
	for _, api := range a.APIs {
		longest = max(longest, a.accessTokenLifetime(api))
	}
	return state.Settings{
		Issuers: a.issuers(),
		Keys: keyring.Settings{
			Algorithms:  a.algorithms(),
			RotateEvery: a.Signing.rotateEvery(),
			KeepFor:     max(longest, a.Signing.idTokenLifetime()) + keepLeeway,
		},
		TokenLifetime: longest,
		MaxLag:        a.Denylist.maxLag(),
		AllowStale:    a.Denylist.allowStale(),
		TellsClients:  slices.ContainsFunc(a.Clients, func(c *Client) bool { return c.BackChannelLogoutURI != "" }),
	}
}

// issuers are those that the store is opened for: this one, and the one that it
// was before.
func (a *App) issuers() []string {
	if a.PreviousIssuer == "" {
		return []string{a.Issuer}
	}
	return []string{a.Issuer, a.PreviousIssuer}
}

// keepLeeway is how much longer than its last token a signing key is kept, for
// clocks that are slow and clients that check late.
const keepLeeway = time.Minute

// algorithms are those that a signing key is held for, the usual one of ID tokens
// first: discovery announces them in this order. RS256 is always among them, so that
// a client may have it at any time (OpenID Connect Discovery §3).
func (a *App) algorithms() []jose.Algorithm {
	names := make([]string, 0, 3+len(a.Clients)+len(a.APIs))
	names = append(names, a.Signing.idTokenAlgorithm())
	for _, c := range a.Clients {
		names = append(names, c.IDTokenAlgorithm)
	}
	names = append(names, a.Signing.accessTokenAlgorithm(), string(jose.RS256))
	for _, api := range a.APIs {
		names = append(names, string(api.signingAlgorithm()))
	}
	var algorithms []jose.Algorithm
	for _, name := range names {
		if alg := jose.Algorithm(name); name != "" && !slices.Contains(algorithms, alg) {
			algorithms = append(algorithms, alg)
		}
	}
	return algorithms
}

// apiScopes are the scopes of APIs, for discovery.
func (a *App) apiScopes() []string {
	var scopes []string
	for _, api := range a.APIs {
		// Some programs ask for all that discovery lists: with clients that nobody
		// registered, that is what those may have.
		if len(a.strangers()) == 0 || a.forStrangers(api.Identifier) {
			scopes = append(scopes, api.Scopes...)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// stateLimits returns the bounds of the caches.
func (a *App) stateLimits() stateLimits {
	return stateLimits{cacheBytes: a.tokenCache(), denylistEntries: a.Denylist.cacheEntries()}
}

// core returns the client as the core has it.
func (c *Client) core() *clients.Client {
	name, consent := c.Name, clients.ConsentMode(c.Consent)
	if name == "" {
		name = c.ID
	}
	if consent == consentAuto {
		consent = clients.ConsentAuto
	}
	return &clients.Client{
		ID:             c.ID,
		Name:           name,
		Type:           c.kind(),
		RedirectURIs:   c.RedirectURIs,
		DeviceCode:     c.DeviceCode,
		LogoutURIs:     c.LogoutURIs,
		BackChannelURI: c.BackChannelLogoutURI,
		Origins:        c.origins(),
		APIs:           c.APIs,
		Scopes:         c.Scopes,
		Usual:          c.DefaultScopes,
		Logins:         c.Logins,
		For:            c.For,
		Serves:         c.Serves,
		ForItself:      c.ClientCredentials,
		SecretHashes:   c.hashes,
		Keys:           c.keys,
		PKCERequired:   c.PKCERequired,
		OIDCConformant: c.OIDCConformant == nil || *c.OIDCConformant,
		Consent:        consent,
		IDTokenAlg:     c.IDTokenAlgorithm,
		Refresh:        c.RefreshToken.core(),

		TLS:              c.coreTLS(),
		DPoPRequired:     c.DPoPRequired,
		CertificateBound: c.certificateBound(),
	}
}

// tokenCache returns the bound in bytes.
func (a *App) tokenCache() int64 { return cmp.Or(a.TokenCache, verify.DefaultCacheBytes) }
