package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// Check finds what the text shows to be wrong, as far as the client alone goes.
func (c *Client) Check() error {
	if err := checkClientID(c.ID); err != nil {
		return grammar.Wrong("", "%s", err)
	}
	return grammar.FirstOf(c.checkType, c.checkURIs, c.checkMTLS, c.checkSecrets, c.checkKeys, c.checkGrants, c.checkWords, c.checkRefresh)
}

// checkClientID checks a client_id. A bar would let a machine's subject,
// `<client_id>@clients`, be a user's, `<login>|<id>`.
func checkClientID(id string) error {
	switch {
	case id == "":
		return errors.New("the client_id is empty: write one, such as my-app")
	case strings.ContainsAny(id, "{}"):
		return errors.New("the client_id holds a placeholder, which is not replaced here: write it out")
	case strings.Contains(id, "*"):
		return errors.New("the client_id has a wildcard: write one client for each")
	case strings.Contains(id, "|"):
		return errors.New("the client_id has a bar, which separates the parts of a user's name: leave it out")
	case !oauth.ValidScope(id):
		return errors.New("the client_id may have neither spaces nor quotes, only printable ASCII (RFC 6749 appendix A.1): write one, such as my-app")
	}
	return nil
}

// checkType checks the type and the options that do not go with it.
func (c *Client) checkType() error {
	switch c.kind() {
	case clients.SPA, clients.Native, clients.Web:
		if c.DeviceCode && c.kind() == clients.SPA {
			return grammar.Wrong("device_code", "`type spa` runs in a browser, where people can sign in at once: leave it out, or write `type native`")
		}
		if len(c.RedirectURIs) == 0 && !c.DeviceCode {
			return grammar.Wrong("", "`type %s` needs redirect_uris: write where it takes its answers, such as `redirect_uris https://app.example.com/callback`", c.Type)
		}
		return nil
	case clients.Machine:
		return c.checkMachine()
	case "":
		return grammar.Wrong("", "it needs a type: write `type spa`, `native`, `web` or `machine`")
	}
	return grammar.Wrong("type", "%q is not known: write spa (in a browser), native (on a device), web (on a server) or machine (without users)", c.Type)
}

// checkMachine refuses what needs users.
func (c *Client) checkMachine() error {
	unfit := []struct {
		option string
		given  bool
	}{
		{"redirect_uris", len(c.RedirectURIs) > 0},
		{"logout_uris", len(c.LogoutURIs) > 0},
		{"backchannel_logout_uri", c.BackChannelLogoutURI != ""},
		{"device_code", c.DeviceCode},
		{"logins", len(c.Logins) > 0},
		{"for", len(c.For) > 0},
		{"origins", len(c.Origins) > 0},
		{"insecure_redirects", c.InsecureRedirects},
		{"consent", c.Consent != ""},
		{"oidc_conformant", c.OIDCConformant != nil},
		{"pkce", c.PKCERequired},
		{"id_token_algorithm", c.IDTokenAlgorithm != ""},
		{"refresh_token", c.RefreshToken != nil},
	}
	for _, u := range unfit {
		if u.given {
			return grammar.Wrong(u.option, "`type machine` has no users: leave it out, or write `type web`")
		}
	}
	if len(c.APIs) == 0 && len(c.Serves) == 0 {
		return grammar.Wrong("", "`type machine` needs apis: without one there is nothing it could ask for; or serves, if it only introspects")
	}
	return nil
}

// checkGrants checks what only a client that authenticates can do.
func (c *Client) checkGrants() error {
	switch {
	case len(c.Serves) > 0 && !c.confidential():
		return grammar.Wrong("serves", "`type %s` can keep no secret, so it cannot introspect: leave it out, or write `type web`", c.Type)
	case c.ClientCredentials && !c.confidential():
		return grammar.Wrong("client_credentials", "`type %s` can keep no secret, so it gets no tokens for itself: leave it out, or write `type web`", c.Type)
	case c.ClientCredentials && len(c.APIs) == 0:
		return grammar.Wrong("client_credentials", "there is nothing it could ask for: add apis, or leave it out")
	}
	return checkEach("serves", c.Serves, func(string) error { return nil })
}

func (c *Client) checkURIs() error {
	check := func(uri string) error { return checkRedirect(uri, c.kind(), c.InsecureRedirects) }
	if err := checkEach("redirect_uris", c.RedirectURIs, check); err != nil {
		return err
	}
	if err := checkEach("logout_uris", c.LogoutURIs, check); err != nil {
		return err
	}
	if uri := c.BackChannelLogoutURI; uri != "" {
		if err := checkRedirect(uri, clients.Web, c.InsecureRedirects); err != nil {
			return grammar.WrongValue("backchannel_logout_uri", uri, "%s", err)
		}
	}
	if err := checkEach("origins", c.Origins, c.checkOrigin); err != nil {
		return err
	}
	if c.InsecureRedirects && !slices.ContainsFunc(slices.Concat(c.RedirectURIs, c.LogoutURIs, c.Origins, []string{c.BackChannelLogoutURI}), inClear) {
		return grammar.Wrong("insecure_redirects", "none of its addresses is http at another machine: leave it out")
	}
	return nil
}

// checkOrigin checks an origin of the client.
func (c *Client) checkOrigin(origin string) error {
	err := checkOrigin(origin)
	if c.InsecureRedirects && errors.Is(err, errInClear) {
		return nil
	}
	return orInsecure(err)
}

func (c *Client) checkWords() error {
	switch c.Consent {
	case "", consentAuto, string(clients.ConsentAlways), string(clients.ConsentNever):
	default:
		return grammar.Wrong("consent", "%q is not known: write always, never or auto", c.Consent)
	}
	if err := checkAlgorithm("id_token_algorithm", c.IDTokenAlgorithm); err != nil {
		return err
	}
	if err := checkRule(c.For); err != nil {
		return err
	}
	noCheck := func(string) error { return nil }
	if err := checkEach("apis", c.APIs, noCheck); err != nil {
		return err
	}
	if err := checkEach("scopes", c.Scopes, func(scope string) error {
		if slices.Contains(oauth.ReservedScopes, scope) {
			return errors.New("may be asked for by every client: leave it out; only the scopes of APIs are limited here")
		}
		return checkAPIScope(scope)
	}); err != nil {
		return err
	}
	return c.checkDefaultScopes()
}

// checkDefaultScopes checks what it gets unasked.
func (c *Client) checkDefaultScopes() error {
	if len(c.DefaultScopes) > 0 && c.kind() == clients.Machine {
		return grammar.Wrong("default_scopes", "`type machine` gets all of its scopes where it asks for none: limit them by scopes")
	}
	return checkEach("default_scopes", c.DefaultScopes, func(scope string) error {
		switch {
		case slices.Contains(oauth.ReservedScopes, scope):
			return errors.New("is no scope of an API, and only those come unasked (refresh tokens by `refresh_token { always }`): leave it out")
		case len(c.Scopes) > 0 && !slices.Contains(c.Scopes, scope):
			return errors.New("is not among the client's scopes: add it there, or leave it out")
		}
		return checkAPIScope(scope)
	})
}

func (c *Client) checkRefresh() error {
	if !c.RefreshToken.rotation() && c.kind() != clients.Web {
		return grammar.Within("refresh_token", grammar.Wrong("rotation", "`type %s` can keep no secret, so its refresh tokens have to rotate (RFC 9700 §4.14.2): leave it on", c.Type))
	}
	if err := c.RefreshToken.Check(); err != nil {
		return grammar.Within("refresh_token", err)
	}
	if orZero(c.RefreshToken).MultiResource && c.Consent == string(clients.ConsentAlways) {
		return grammar.Within("refresh_token", grammar.Wrong("multi_resource", "with `consent always` people agree to what a sign-in asks for, "+
			"and nobody is there to ask at a refresh: leave it out, and let the application ask for all of its APIs at sign-in"))
	}
	return grammar.Within("refresh_token", c.checkCookieClient())
}

// checkAPIs checks what the client may ask for against the APIs there are.
func (c *Client) checkAPIs(apis []*API) error {
	var scopes []string
	for _, id := range c.APIs {
		i := slices.IndexFunc(apis, func(a *API) bool { return a.Identifier == id })
		if i < 0 {
			return grammar.WrongValue("apis", id, "is not configured: %s", knownAPIs(apis))
		}
		scopes = append(scopes, apis[i].Scopes...)
	}
	for _, id := range c.Serves {
		if !slices.ContainsFunc(apis, func(a *API) bool { return a.Identifier == id }) {
			return grammar.WrongValue("serves", id, "is not configured: %s", knownAPIs(apis))
		}
	}
	for _, scope := range c.Scopes {
		if !slices.Contains(scopes, scope) {
			return grammar.WrongValue("scopes", scope, "is no scope of the client's apis: add it to one of them, or leave it out")
		}
	}
	for _, scope := range c.DefaultScopes {
		if !slices.Contains(scopes, scope) {
			return grammar.WrongValue("default_scopes", scope, "is no scope of the client's apis: add it to one of them, or leave it out")
		}
	}
	return nil
}

func knownAPIs(apis []*API) string {
	if len(apis) == 0 {
		return "there is no api block yet; add one"
	}
	ids := make([]string, len(apis))
	for i, a := range apis {
		ids[i] = a.Identifier
	}
	return "write an api block for it, or one of " + strings.Join(ids, ", ")
}

// warnings are findings that may be meant so.
func (c *Client) warnings(apis []*API) []string {
	var found []string
	for _, uri := range slices.Concat(c.RedirectURIs, c.LogoutURIs) {
		if plainScheme(uri) {
			found = append(found, fmt.Sprintf("%s has a scheme without a dot, which other applications on the device may claim: "+
				"take a domain of yours in reverse, such as com.example.app (RFC 8252 §7.1)", uri))
		}
	}
	for _, uri := range slices.Concat(c.RedirectURIs, c.LogoutURIs, c.Origins) {
		if inClear(uri) {
			found = append(found, uri+" is not encrypted: whoever is on the network can read the codes and take over logins; insecure_redirects allows it, take https outside of tests")
		}
	}
	if c.Consent == string(clients.ConsentNever) {
		found = append(found, c.unsafeConsent()...)
	}
	if c.RefreshToken != nil && !c.mayRefresh(apis) {
		found = append(found, "it has a refresh_token block and gets no refresh token for any API: add allow_offline_access to the block of one of its apis, or leave refresh_token out")
	}
	return found
}

// unsafeConsent says where `consent never` hands a session to whoever asks for it.
func (c *Client) unsafeConsent() []string {
	for _, uri := range c.RedirectURIs {
		if oauth.ClaimableRedirect(uri) && !inClear(uri) { // that it is not encrypted is worse, and said
			return []string{"`consent never` with " + uri + ", which any software on the device can claim: while somebody is signed in, each such program gets in as them and " +
				"nobody is asked (RFC 8252 §8.6); leave `consent` out"}
		}
	}
	return nil
}

// mayRefresh reports whether the client can get a refresh token for an API, or,
// where it has none, for the userinfo endpoint.
func (c *Client) mayRefresh(apis []*API) bool {
	if len(c.APIs) == 0 {
		return c.OIDCConformant == nil || *c.OIDCConformant
	}
	return slices.ContainsFunc(apis, func(a *API) bool { return a.AllowOfflineAccess && slices.Contains(c.APIs, a.Identifier) })
}
