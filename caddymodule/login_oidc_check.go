package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// The words of OIDCLogin.ResponseMode.
const (
	responseQuery = "query"
	formPost      = "form_post"
)

// hs256 is the one algorithm of ID tokens whose key is the client's secret (OpenID Connect Core §10.1).
const hs256 = "HS256"

// knownPrompts are the values of prompt (OpenID Connect Core §3.1.2.1).
var knownPrompts = []string{"none", "login", "consent", "select_account", "create"}

// ownParameters are the parameters of an authorization request that this gateway makes.
var ownParameters = []string{
	"client_id", "client_secret", "code_challenge", "code_challenge_method", "id_token_hint", "login_hint", "max_age", "nonce",
	"redirect_uri", "request", "request_uri", "response_mode", "response_type", "scope", "state", "ui_locales",
}

// mutableClaims name somebody today and somebody else tomorrow.
var mutableClaims = []string{"email", "login", "name", "nickname", "preferred_username", "unique_name", "upn", "username"}

// tenantID is the ID of a tenant of Entra.
var tenantID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (l *OIDCLogin) name() string { return l.named("oidc") }

// block names the login in errors.
func (l *OIDCLogin) block() string { return "login " + l.name() }

// provider returns what is known of the login's provider.
func (l *OIDCLogin) provider() providerFacts { return knownProvider(l.Issuer, l.Tenants) }

// Check finds what the text shows to be wrong.
func (l *OIDCLogin) Check() error {
	return grammar.FirstOf(
		func() error { return checkLoginName(l.name()) },
		l.checkIssuer,
		func() error { return l.checkProvider(l.provider()) },
		func() error { return l.checkAuth(len(l.ClientSecrets)) },
		l.checkRequest,
		l.checkIDToken,
		l.checkPerson,
		l.checkEndpoints,
	)
}

// checkIssuer checks the issuer and what stands in the place of its tenant.
func (l *OIDCLogin) checkIssuer() error {
	if l.Issuer == "" {
		return grammar.Wrong("", "it needs an issuer: write `login oidc <name> <issuer>`, with the `issuer` of the provider's discovery document")
	}
	if err := checkTenants(l.Issuer, l.Tenants); err != nil {
		return err
	}
	if err := checkEach("tenants", l.Tenants, func(tenant string) error {
		if !tenantID.MatchString(tenant) {
			return errors.New("is not the ID of a tenant: write it as 00000000-0000-0000-0000-000000000000")
		}
		return nil
	}); err != nil {
		return err
	}
	if rest, ok := strings.CutPrefix(l.Issuer, entraHost); ok && !strings.HasPrefix(rest, tenantTemplate) && !tenantID.MatchString(strings.TrimSuffix(rest, "/v2.0")) {
		return grammar.WrongValue("issuer", l.Issuer, "is not what Entra calls itself: write the ID of the tenant, as in %s00000000-0000-0000-0000-000000000000/v2.0", entraHost)
	}
	if err := l.checkAddress(strings.ReplaceAll(l.Issuer, tenantTemplate, "t")); err != nil {
		return grammar.WrongValue("issuer", l.Issuer, "%s", err)
	}
	if l.IssuerAlias == "" {
		return nil
	}
	if err := plainText(l.IssuerAlias); err != nil {
		return grammar.WrongValue("issuer_alias", l.IssuerAlias, "%s", err)
	}
	return nil
}

// checkRequest checks what is sent to the provider.
func (l *OIDCLogin) checkRequest() error {
	if err := checkEach("scopes", l.Scopes, checkScope); err != nil {
		return err
	}
	if len(l.Scopes) > 0 && !slices.Contains(l.Scopes, oauth.ScopeOpenID) {
		return grammar.Wrong("scopes", "without openid there is no ID token: add it")
	}
	for _, name := range slices.Sorted(maps.Keys(l.Parameters)) {
		switch {
		case slices.Contains(ownParameters, name):
			return grammar.WrongValue("parameter", name, "is sent by this gateway itself: leave it out")
		case !oauth.ValidScope(name) || writtenOut(l.Parameters[name]) != nil:
			return grammar.WrongValue("parameter", name, "has a space or a placeholder, which is not replaced here: write it out")
		}
	}
	if prompt := l.Parameters["prompt"]; prompt != "" && !slices.Contains(l.promptsToSend(), prompt) {
		return grammar.WrongValue("parameter", "prompt", "would ask for %s at each sign-in: write one of those that the provider knows: %s", prompt, strings.Join(l.promptsToSend(), ", "))
	}
	if l.ResponseMode != "" && l.ResponseMode != responseQuery && l.ResponseMode != formPost {
		return grammar.WrongValue("response_mode", l.ResponseMode, "is not known: write query or form_post")
	}
	if clientAuths[l.ClientAuth] == clientAuths["none"] && l.NoPKCE {
		return grammar.Wrong("pkce", "with `client_auth none` nothing else protects a stolen code: leave it on, or get a secret")
	}
	return checkEach("prompts", l.Prompts, func(prompt string) error {
		if !slices.Contains(knownPrompts, prompt) {
			return fmt.Errorf("is not known: write some of %s", strings.Join(knownPrompts, ", "))
		}
		return nil
	})
}

// promptsToSend are the values of prompt that the provider can be sent.
func (l *OIDCLogin) promptsToSend() []string {
	known := l.Prompts
	if len(known) == 0 {
		known = knownPrompts
	}
	return slices.DeleteFunc(slices.Clone(known), func(prompt string) bool { return prompt == "none" })
}

// checkIDToken checks how ID tokens are signed.
func (l *OIDCLogin) checkIDToken() error {
	if slices.Contains(l.Algorithms, hs256) {
		switch {
		case len(l.Algorithms) > 1:
			return grammar.WrongValue("algorithms", hs256, "stands alone: with another beside it a public key could be taken for the secret")
		case len(l.ClientSecrets) == 0:
			return grammar.WrongValue("algorithms", hs256, "is by the client's secret, and there is none: write `client_secret`")
		}
		return nil
	}
	return checkEach("algorithms", l.Algorithms, func(name string) error {
		if !jose.Algorithm(name).Valid() {
			return fmt.Errorf("is no algorithm of ID tokens: write some of %s, or HS256 alone", joinAlgorithms())
		}
		return nil
	})
}

// checkPerson checks how the provider's claims become ours. See F80.
func (l *OIDCLogin) checkPerson() error {
	if err := checkEach("subject", l.Subject, plainText); err != nil {
		return err
	}
	if err := checkEach("groups_claim", l.GroupsClaims, plainText); err != nil {
		return err
	}
	for _, ours := range slices.Sorted(maps.Keys(l.Claims)) {
		switch {
		case ownClaim(ours):
			return grammar.WrongValue("claim", ours, "is a claim that a provider must not write: choose another name")
		case plainText(ours) != nil || plainText(l.Claims[ours]) != nil:
			return grammar.WrongValue("claim", ours, "has no name, or a placeholder, which is not replaced here: write `claim <ours> <theirs>`")
		}
	}
	theirs := make(map[string]string)
	for _, ours := range slices.Sorted(maps.Keys(l.ACRs)) {
		value := l.ACRs[ours]
		switch other, taken := theirs[value]; {
		case !oauth.ValidScope(ours) || !oauth.ValidScope(value):
			return grammar.WrongValue("acr", ours, "or its value has a space, a quote or what is not ASCII: values of acr have none (OpenID Connect Core §3.1.2.1)")
		case taken:
			return grammar.WrongValue("acr", ours, "is what %s is, too: keep one name for %s", other, value)
		}
		theirs[value] = ours
	}
	if known := l.provider(); l.EmailTrusted && known.strangers != "" {
		return grammar.Wrong("email", "%s, with any address: leave it out, the verified ones are taken anyway", known.strangers)
	}
	return nil
}

// checkEndpoints checks the addresses, and whether somebody can sign out there.
func (l *OIDCLogin) checkEndpoints() error {
	endpoints := orZero(l.Endpoints)
	named := endpoints.named()
	for _, which := range slices.Sorted(maps.Keys(named)) {
		if *named[which] == "" {
			continue
		}
		if err := l.checkAddress(*named[which]); err != nil {
			return grammar.WrongValue("endpoint", *named[which], "%s", err)
		}
	}
	if l.LogoutUpstream && endpoints.EndSession == "" && l.provider().noSignOut {
		return grammar.Wrong("logout_upstream", "this provider has no address to sign out at: leave it out")
	}
	return nil
}

// findings are what may be meant so.
func (l *OIDCLogin) findings() []string {
	known := l.provider()
	found := l.warnings(known)
	for _, claim := range l.Subject {
		if slices.Contains(mutableClaims, claim) {
			found = append(found, "`subject "+claim+"` is not for good: whoever gets it next is then the same person here; take sub, or another claim that never changes")
		}
	}
	if l.Recheck != 0 && known.refresh == refreshByScope && !slices.Contains(l.scopes(), oauth.ScopeOfflineAccess) {
		found = append(found, "`recheck` needs a refresh token of the provider, and the scopes lack offline_access: add it, unless the provider gives one without")
	}
	if l.Recheck != 0 && known.refresh == refreshByParameter && (l.parameters()["access_type"] != "offline" || l.Parameters["prompt"] != "consent") {
		found = append(found, "`recheck` needs a refresh token, which this provider gives with `parameter access_type offline` and with its page of consent alone: "+
			"`parameter prompt consent` shows it at each sign-in; who comes without a token is not asked about again, so set a `session_lifetime`")
	}
	if l.NoPKCE && l.NoNonce {
		found = append(found, "without PKCE and without a nonce a code that was stolen on the way can be used here: turn one of them on as soon as the provider can")
	}
	return found
}
