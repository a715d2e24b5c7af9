package handler

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/dpop"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// discoveryDocument says what this server does: all of it, and nothing else.
// One document answers OpenID Connect Discovery §3 and RFC 8414 §2.
type discoveryDocument struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"` // RFC 8628 §4
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	ClientDocuments       bool     `json:"client_id_metadata_document_supported,omitempty"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"` // RFC 7591; not where a token is needed, which programs for people cannot send
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	SigningAlgs           []string `json:"id_token_signing_alg_values_supported"` // of access tokens, too: their verifiers have no other member to read
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs         []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthMethods []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthAlgs    []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectAuthAlgs    []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	ProofAlgs             []string `json:"dpop_signing_alg_values_supported"`
	CertificateBound      bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	Prompts               []string `json:"prompt_values_supported"`
	Claims                []string `json:"claims_supported"`
	ACRs                  []string `json:"acr_values_supported,omitempty"`
	ClaimTypes            []string `json:"claim_types_supported"`
	UILocales             []string `json:"ui_locales_supported"`
	BackChannelLogout     bool     `json:"backchannel_logout_supported"`
	BackChannelSession    bool     `json:"backchannel_logout_session_supported"`
	IssInResponse         bool     `json:"authorization_response_iss_parameter_supported"`
	ClaimsParameter       bool     `json:"claims_parameter_supported"`
	RequestParameter      bool     `json:"request_parameter_supported"`
	RequestURIParameter   bool     `json:"request_uri_parameter_supported"` // its default is true
}

// writeDiscovery writes the document once.
func (s *Server) writeDiscovery() ([]byte, error) {
	confidential := []string{string(clients.AuthBasic), string(clients.AuthPost), string(clients.AuthPrivateKeyJWT)}
	for _, method := range []clients.AuthMethod{clients.AuthTLS, clients.AuthSelfSigned} {
		if slices.ContainsFunc(s.Issuer.Clients(), func(c *clients.Client) bool { return slices.Contains(c.TLS.Methods(), method) }) {
			confidential = append(confidential, string(method))
		}
	}
	// Some clients take the first method that they know, so `none` comes last,
	// and only where a client is public.
	all := slices.Clone(confidential)
	if s.Issuer.Unregistered() || slices.ContainsFunc(s.Issuer.Clients(), func(c *clients.Client) bool { return !c.Confidential() }) {
		all = append(all, string(clients.AuthNone))
	}
	claims, acrs := s.announced()
	registration := ""
	if s.Issuer.Registers() && s.RegistrationToken == "" {
		registration = s.urlOf("register")
	}
	b, err := json.MarshalIndent(discoveryDocument{
		ClientDocuments:       s.Issuer.Publishes(),
		RegistrationEndpoint:  registration,
		Issuer:                s.IssuerURL,
		AuthorizationEndpoint: s.urlOf("authorize"),
		TokenEndpoint:         s.urlOf("token"),
		DeviceEndpoint:        s.urlOf("device_code"),
		UserinfoEndpoint:      s.urlOf("userinfo"),
		JWKSURI:               s.urlOf("jwks"),
		RevocationEndpoint:    s.urlOf("revoke"),
		IntrospectionEndpoint: s.urlOf("introspect"),
		EndSessionEndpoint:    s.urlOf("logout"),
		Scopes:                s.scopes(),
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{string(tokens.ModeQuery), string(tokens.ModeFragment), string(tokens.ModeFormPost), string(tokens.ModeWebMessage)},
		GrantTypes:            []string{string(oauth.GrantAuthorizationCode), string(oauth.GrantRefreshToken), string(oauth.GrantClientCredentials), string(oauth.GrantDeviceCode)},
		SubjectTypes:          []string{"public"},
		SigningAlgs:           namesOf(s.SigningAlgs),
		TokenAuthMethods:      all,
		TokenAuthAlgs:         assertionAlgs(),
		RevocationAuthMethods: all,
		RevocationAuthAlgs:    assertionAlgs(),
		IntrospectAuthMethods: confidential,
		IntrospectAuthAlgs:    assertionAlgs(),
		ChallengeMethods:      []string{"S256"},
		ProofAlgs:             dpop.Algorithms(),
		CertificateBound:      slices.ContainsFunc(s.Issuer.Clients(), func(c *clients.Client) bool { return c.CertificateBound }),
		Prompts:               []string{tokens.PromptNone, tokens.PromptLogin, tokens.PromptConsent, tokens.PromptSelectAccount},
		Claims:                claims,
		ACRs:                  acrs,
		ClaimTypes:            []string{"normal"},
		UILocales:             s.pages.Languages(),
		BackChannelLogout:     true,
		BackChannelSession:    true,
		IssInResponse:         true,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing discovery document: %w", err)
	}
	return append(b, '\n'), nil
}

// announced returns the claims that an ID token or userinfo can have, with these
// logins, and the values of acr among them.
func (s *Server) announced() (claims, acrs []string) {
	var personal []string
	for _, l := range s.Logins {
		if a, ok := l.(login.Announcer); ok {
			personal = append(personal, a.Claims()...)
		}
	}
	acrs = slices.Sorted(slices.Values(login.ACRs(s.Logins)))
	claims = []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid"}
	if len(acrs) > 0 {
		claims = append(claims, "acr")
	}
	claims = append(claims, tokens.ReleasableClaims(personal)...)
	if s.Issuer.HasGroups() {
		claims = append(claims, tokens.ClaimGroups)
	}
	return claims, acrs
}

// assertionAlgs are the algorithms that clients may sign their assertions with.
func assertionAlgs() []string { return namesOf(jose.Algorithms()) }

func namesOf(algs []jose.Algorithm) []string {
	names := make([]string, len(algs))
	for i, a := range algs {
		names[i] = string(a)
	}
	return names
}

// scopes returns the gateway's own scopes and those of the APIs.
func (s *Server) scopes() []string {
	all := slices.Clone(oauth.ReservedScopes)
	if !s.Issuer.HasGroups() {
		all = slices.DeleteFunc(all, func(scope string) bool { return scope == oauth.ScopeGroups })
	}
	for _, scope := range s.APIScopes {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}

// document serves both discovery documents. See OpenID Connect Discovery §4, RFC 8414 §3.
func (s *Server) document(w http.ResponseWriter, _ *http.Request) error {
	wire.WritePublic(w, s.discovery)
	return nil
}
