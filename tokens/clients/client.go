// Package clients holds the registered applications and finds out which of them
// sends a request: by a secret, a signed assertion or a certificate. It knows no
// grants and no tokens.
//
// Begin reading at Client, then Authenticator. See RFC 6749 §2.3, RFC 7523 and RFC 8705 §2.
package clients

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/people"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// Type says how far a client can keep a secret and where its answers go.
// See RFC 6749 §2.1, RFC 8252 §8.4 and RFC 9700 §2.
type Type string

// The types of client.
const (
	SPA     Type = "spa"     // public, in a browser
	Native  Type = "native"  // public, on a device
	Web     Type = "web"     // confidential, with users
	Machine Type = "machine" // confidential, without users
)

// Client is a registered application. Values come checked from the configuration.
type Client struct {
	ID           string
	Origin       Origin
	Name         string // for people; the ID where none was given
	Type         Type
	RedirectURIs []string
	LogoutURIs   []string
	// BackChannelURI is where it is told that a session of its people has ended; "" for not at all.
	// See OpenID Connect Back-Channel Logout §2.2.
	BackChannelURI string
	Origins        []string // scheme://host[:port], lower case
	APIs           []string // identifiers of the APIs it may ask for
	Scopes         []string // of those APIs; empty for all
	// Usual are the scopes that it gets where it asks for none of an API's.
	Usual  []string
	Logins []string // the logins whose people may sign in to it; empty for all
	Serves []string // identifiers of the APIs that it is a resource server of
	// SecretHashes are bcrypt, argon2id or "sha256:" hashes. Several overlap while a secret is rotated.
	SecretHashes   []string
	Keys           Keys // instead of secrets, or beside them while the client changes over
	OIDCConformant bool
	PKCERequired   bool // of a Web client, which may otherwise go without; see NeedsPKCE
	DeviceCode     bool // it may use the device code grant
	ForItself      bool // a Web client that may use the client credentials grant, as a Machine may
	Consent        ConsentMode
	IDTokenAlg     string // JWA name; "" for the gateway's
	Refresh        RefreshPolicy
	For            people.Rule // whom it is for; none for everybody
	TLS            TLS         // how it may authenticate by certificate
	// DPoPRequired refuses token requests without a DPoP proof. See RFC 9449 §5.2.
	DPoPRequired bool
	// CertificateBound binds its access tokens to the client certificate of the
	// connection, which it has to have. See RFC 8705 §3.4.
	CertificateBound bool

	tag storage.ClientTag // set by NewDirectory
}

// ForSite returns the client that the guard of a site is: it signs people in for itself, and
// its codes are redeemed by guards alone, since no directory knows it.
func ForSite(id, origin, redirectURI string, logins []string, sessions RefreshPolicy) *Client {
	_, host, _ := strings.Cut(origin, "://")
	return &Client{
		ID: id, Name: host, Type: SPA, RedirectURIs: []string{redirectURI}, Origins: []string{origin}, Logins: logins,
		OIDCConformant: true, Consent: ConsentNever, Refresh: sessions, tag: storage.TagClient(id),
	}
}

// Origin says who vouches for what is known of a client.
type Origin uint8

// The origins of clients.
const (
	Configured Origin = iota // the operator: it is in the configuration
	Registered               // nobody: it has registered itself (RFC 7591), and its id says with what
	Document                 // the host of its id, which publishes it there (draft-ietf-oauth-client-id-metadata-document)
)

// ConsentMode says when a person is asked whether the client may go on.
type ConsentMode string

// The modes of consent.
const (
	// ConsentAuto asks when a session would otherwise answer silently for a
	// client whose redirect URI anyone on the device can claim (RFC 8252 §8.6).
	ConsentAuto ConsentMode = ""
	// ConsentAlways asks for whatever the person has not agreed to before, and for all where
	// anyone can claim the redirect URI.
	ConsentAlways ConsentMode = "always"
	// ConsentNever asks for nothing: the operator vouches for the client.
	ConsentNever ConsentMode = "never"
)

// RefreshPolicy is how a client's refresh tokens live.
type RefreshPolicy struct {
	Rotation     bool
	Leeway       time.Duration // how long a lost or raced answer can be had again; 0 is strict
	Lifetime     time.Duration // absolute, from login; 0 is infinite
	IdleLifetime time.Duration // 0 is infinite
	MaxActive    int           // live families per user and client
	// MultiResource lets a refresh ask for an API of the client that was not asked for at sign-in.
	MultiResource bool
	// Always gives refresh tokens without offline_access being asked for, at an API that allows them.
	Always bool
	// ReuseRefused lets a family live where a refresh token of it is used again: that alone is refused.
	ReuseRefused bool
	Never        bool // the client has said that it takes none
	Cookie       bool // the browser keeps the refresh token in a cookie; no body ever holds it
}

// Unregistered reports whether no configuration names the client. Then it has the code
// grant with PKCE, answers in the query, refresh tokens, userinfo and the revocation of its
// own tokens, and nothing else, and a person is asked each time.
func (c *Client) Unregistered() bool { return c.Origin != Configured }

// Confidential reports whether the client authenticates, with a secret or a key.
func (c *Client) Confidential() bool { return c.Type == Web || c.Type == Machine }

// MayIntrospect reports whether the client is a resource server of an API, and so may
// ask about its access tokens: a machine is one of all its APIs. See RFC 7662 §4.
func (c *Client) MayIntrospect(api string) bool {
	return slices.Contains(c.Serves, api) || c.Type == Machine && slices.Contains(c.APIs, api)
}

// Admits reports whether people of a login may sign in to the client.
func (c *Client) Admits(login string) bool {
	return len(c.Logins) == 0 || slices.Contains(c.Logins, login)
}

// NeedsPKCE reports whether the client has to send a code challenge: a public one
// must, a confidential one should (RFC 9700 §2.1.1). Where a challenge was sent, its
// verifier is demanded of every client.
func (c *Client) NeedsPKCE() bool { return !c.Confidential() || c.PKCERequired }

// Ref is what operators call the client: its ID, and the text of its tag where no
// configuration names it.
func (c *Client) Ref() string {
	if c.Unregistered() {
		return c.tag.String()
	}
	return c.ID
}

// Tag returns the client's tag.
func (c *Client) Tag() storage.ClientTag { return c.tag }

// MayUse reports whether the client is registered for a grant. See RFC 6749 §5.2 unauthorized_client.
func (c *Client) MayUse(g oauth.GrantType) bool {
	switch g {
	case oauth.GrantAuthorizationCode:
		return c.Type != Machine
	case oauth.GrantRefreshToken:
		return c.Type != Machine && !c.Refresh.Never
	case oauth.GrantClientCredentials:
		return c.Type == Machine || c.Type == Web && c.ForItself
	case oauth.GrantDeviceCode:
		return c.DeviceCode
	}
	return false
}

// MatchesRedirect reports whether answers may go to a redirect URI.
func (c *Client) MatchesRedirect(uri string) bool {
	return oauth.MatchRedirect(c.RedirectURIs, uri, c.Type == Native || c.Unregistered())
}

// HasOrigin reports whether the client registered a browser origin.
func (c *Client) HasOrigin(origin string) bool { return slices.Contains(c.Origins, origin) }

// API is a resource server behind bearer_auth.
type API struct {
	Identifier         string // the audience
	Scopes             []string
	Default            bool // requests that name no API are for this one; at most one API has it
	AllowOfflineAccess bool
	// ScopeFor says whom a scope is for; one that is not here is for everybody.
	ScopeFor map[string]people.Rule
	// ScopeTexts say in words what a scope allows, for the consent page.
	ScopeTexts map[string]string
	// TokenClaims are what its access tokens carry of the person (RFC 9068 §2.2.3):
	// names of claims, and "groups".
	TokenClaims         []string
	AccessTokenLifetime time.Duration
	Profile             TokenProfile
	SigningAlg          jose.Algorithm // of its access tokens; "" for the gateway's
}

// TokenProfile is the form of an API's access tokens, by Auth0's names.
type TokenProfile string

// The profiles.
const (
	ProfileRFC9068 TokenProfile = ""      // typ at+jwt, client_id
	ProfileAuth0   TokenProfile = "auth0" // typ JWT, azp, and gty where a client acts for itself
)

// grantSlack is how much longer than a family may live its grant is kept: a code
// may come late, and clocks differ.
const grantSlack = time.Hour

// KeepsGrants is how long the grant of a family must be kept from a login or
// refresh on: until the family ends if it is not used again, 0 for good. Every
// use of it keeps the grant longer.
func (p RefreshPolicy) KeepsGrants() time.Duration {
	switch {
	case p.Lifetime <= 0 && p.IdleLifetime <= 0:
		return 0
	case p.Lifetime <= 0 || p.IdleLifetime > 0 && p.IdleLifetime < p.Lifetime:
		return p.IdleLifetime + grantSlack
	}
	return p.Lifetime + grantSlack
}

// Settle returns how old a client's refresh token must be to be rotated.
func (p RefreshPolicy) Settle() time.Duration {
	if p.Cookie {
		return p.Leeway
	}
	return 0
}
