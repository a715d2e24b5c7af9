package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
	"github.com/gatehouse-auth/gatehouse/tokens/verify"
)

// mint is what an answer of the token endpoint is made of. By the time there
// is one, everything has been decided.
type mint struct {
	grant    oauth.GrantType
	client   *clients.Client
	sender   jose.Confirmation // what the access token is bound to, as far as the client's configuration says
	profile  *Profile          // nil for a client that acts for itself
	audience string            // "" for the gateway's own userinfo
	scopes   []string          // of the access token
	issueAt  time.Time
	authTime time.Time
	acr      string
	amr      []string // for the ID token of a code alone
	session  storage.SessionID
	family   storage.FamilyID
	nonce    string
	refresh  string // the refresh token, or ""
	// refreshEnds is the end of the refresh token, zero for none, and presented
	// the one that came with the request, if any.
	refreshEnds time.Time
	presented   string
	idToken     bool // whether an ID token is owed
	keys        signers
}

// signers are the keys that sign the tokens of one answer. They are found
// before the store decides: after that nothing may fail that need not.
type signers struct {
	keyring.Signers // of access tokens; for which API may be known later

	id *jose.PrivateKey
}

// signers returns the keys for a client's answer.
func (i *Issuer) signers(c *clients.Client, idToken bool) (signers, error) {
	s := signers{Signers: i.state.Keys.Signers()}
	for _, alg := range i.algs {
		if _, err := s.Signer(alg); err != nil {
			return s, oauth.Unavailable(err)
		}
	}
	if !idToken {
		return s, nil
	}
	alg := i.cfg.IDTokenAlg
	if c.IDTokenAlg != "" {
		alg = c.IDTokenAlg
	}
	var err error
	if s.id, err = s.Signer(jose.Algorithm(alg)); err != nil {
		return s, oauth.Unavailable(err)
	}
	return s, nil
}

// accessClaims are the claims of an access token. See RFC 9068 §2.2. Those of the
// profile auth0 have azp for client_id, as Auth0's do, and say by token_use what
// they are, since their typ is that of an ID token.
type accessClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ClientID string `json:"client_id,omitempty"`
	AZP      string `json:"azp,omitempty"`
	Use      string `json:"token_use,omitempty"`
	Grant    string `json:"gty,omitempty"`
	Scope    string `json:"scope"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
	ID       string `json:"jti"`
	AuthTime int64  `json:"auth_time,omitempty"`
	ACR      string `json:"acr,omitempty"`
	Session  string `json:"sid,omitempty"`
	Family   string `json:"gh_fam,omitempty"`
	Password string `json:"gh_pw,omitempty"` // storage.Mark of a local user's, for verify.Standings

	Bound *jose.Confirmation `json:"cnf,omitempty"`

	// Person are claims about the person (RFC 9068 §2.2.3), by the names that the API wants.
	Person map[string]any `json:"-"`
}

// subject returns whom the tokens are about.
func (m mint) subject() string {
	if m.profile == nil {
		return MachineSubject(m.client.ID)
	}
	return m.profile.Subject
}

// mint makes the tokens.
func (i *Issuer) mint(ctx context.Context, m mint) (*TokenResponse, error) {
	lifetime := i.cfg.UserinfoTokenLifetime
	if api, ok := i.API(m.audience); ok {
		lifetime = api.AccessTokenLifetime
	}
	access, err := i.mintAccess(m, lifetime)
	if err != nil {
		return nil, err
	}
	res := &TokenResponse{
		AccessToken:  access,
		TokenType:    m.client.Bind(m.sender).TokenType(),
		ExpiresIn:    int64(lifetime / time.Second),
		RefreshToken: m.refresh,
		Scope:        strings.Join(m.scopes, " "),
	}
	if m.client.Refresh.Cookie {
		res.keepInCookie(m)
	}
	if m.idToken {
		if res.IDToken, err = i.mintID(m); err != nil {
			return nil, err
		}
	}
	i.observe(ctx, oauth.Event{
		Kind: oauth.EventTokenIssued, Outcome: oauth.OutcomeOK, GrantType: m.grant, Client: m.client.ID,
		Subject: m.subject(), User: storage.TagSubject(m.subject()), Family: m.family,
	})
	return res, nil
}

// mintAccess signs an access token and puts it among the verified, where the
// guarded routes of this node will find it.
func (i *Issuer) mintAccess(m mint, lifetime time.Duration) (string, error) {
	id, err := i.random16()
	if err != nil {
		return "", err
	}
	typ, alg := verify.TypeAccessToken, jose.Algorithm(i.cfg.AccessTokenAlg)
	claims := accessClaims{
		Issuer:   i.cfg.Issuer,
		Subject:  m.subject(),
		Audience: m.audience,
		ClientID: m.client.ID,
		Scope:    strings.Join(m.scopes, " "),
		IssuedAt: m.issueAt.Unix(),
		Expiry:   m.issueAt.Unix() + int64(lifetime/time.Second),
		ID:       storage.TokenID(id).String(),
		Bound:    m.client.Bind(m.sender).Claim(),
	}
	if api, ok := i.API(m.audience); ok {
		alg = cmp.Or(api.SigningAlg, alg)
		if api.Profile == clients.ProfileAuth0 {
			typ = verify.TypeJWT
			claims.asAuth0(m.grant)
		}
		claims.Person = i.personClaims(api, m.profile)
	}
	if m.audience == "" {
		claims.Audience = UserinfoAudience(i.cfg.Issuer)
	}
	if m.profile != nil {
		claims.AuthTime = unixOrZero(m.authTime)
		claims.ACR = m.acr
		claims.Session = m.session.String()
		claims.Family = m.family.String()
		if i.cfg.Accounts.Lists(m.profile.user()) {
			claims.Password = m.profile.Fingerprint.Mark().String()
		}
	}
	key, err := m.keys.Signer(alg)
	if err != nil {
		return "", oauth.Unavailable(err)
	}
	payload, err := claims.payload()
	if err != nil {
		return "", err
	}
	token, err := sign(key, typ, payload)
	if err != nil {
		return "", err
	}
	if c, err := verify.ParseClaims(payload, key.Public()); err == nil {
		c.Client = m.client.Tag()
		i.state.Cache.Put(token, c)
	}
	return token, nil
}

// asAuth0 gives the claims the form of Auth0's access tokens.
func (c *accessClaims) asAuth0(grant oauth.GrantType) {
	c.ClientID, c.AZP, c.Use = "", c.ClientID, verify.UseAccess
	if grant == oauth.GrantClientCredentials {
		c.Grant = "client-credentials"
	}
}

// mintID signs an ID token. See OpenID Connect Core §2 and §12.2.
func (i *Issuer) mintID(m mint) (string, error) {
	claims := m.profile.claimsFor(m.scopes)
	i.addGroups(claims, m.profile, m.scopes)
	maps.Copy(claims, map[string]any{
		"iss": i.cfg.Issuer,
		"sub": m.profile.Subject,
		"aud": m.client.ID,
		"iat": m.issueAt.Unix(),
		"exp": m.issueAt.Add(i.cfg.IDTokenLifetime).Unix(),
		"sid": m.session.String(),
	})
	if !m.authTime.IsZero() {
		claims["auth_time"] = m.authTime.Unix()
	}
	if m.acr != "" {
		claims["acr"] = m.acr
	}
	if len(m.amr) > 0 {
		claims["amr"] = m.amr
	}
	if m.nonce != "" {
		claims["nonce"] = m.nonce
	}
	payload, err := encode(claims)
	if err != nil {
		return "", err
	}
	return sign(m.keys.id, verify.TypeJWT, payload)
}

func encode(claims any) ([]byte, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("encoding token: %w", err)
	}
	return payload, nil
}

func sign(key *jose.PrivateKey, typ string, payload []byte) (string, error) {
	token, err := jose.Sign(key, typ, payload)
	if err != nil {
		return "", oauth.Unavailable(fmt.Errorf("signing token: %w", err))
	}
	return token, nil
}

// payload encodes the claims, and behind them those about the person, whose names the
// configuration keeps apart from these.
func (c *accessClaims) payload() ([]byte, error) {
	payload, err := encode(c)
	if err != nil || len(c.Person) == 0 {
		return payload, err
	}
	person, err := encode(c.Person)
	if err != nil {
		return nil, err
	}
	return append(append(payload[:len(payload)-1], ','), person[1:]...), nil
}

// UserinfoAudience is the audience of access tokens that are for no API: the
// gateway's userinfo endpoint, as Auth0 has it.
func UserinfoAudience(issuer string) string { return strings.TrimSuffix(issuer, "/") + "/userinfo" }

// profileClaims are the claims behind scope profile. See OpenID Connect Core §5.4.
var profileClaims = []string{
	"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
	"website", "gender", "birthdate", "zoneinfo", "locale",
}

// claimsFor returns the claims about a person that the scopes allow.
func (p *Profile) claimsFor(scopes []string) map[string]any {
	out := make(map[string]any)
	take := func(names ...string) {
		for _, n := range names {
			if v, ok := p.Claims[n]; ok {
				out[n] = v
			}
		}
	}
	if slices.Contains(scopes, oauth.ScopeProfile) {
		take(profileClaims...)
	}
	if slices.Contains(scopes, oauth.ScopeEmail) {
		take("email", "email_verified")
	}
	return out
}

// ReleasableClaims returns those of the named claims about a person that some scope
// lets out, in order.
func ReleasableClaims(names []string) []string {
	p := Profile{Claims: make(map[string]any, len(names))}
	for _, name := range names {
		p.Claims[name] = true
	}
	return slices.Sorted(maps.Keys(p.claimsFor(oauth.ReservedScopes)))
}

// keepInCookie takes the refresh token out of the answer's body. The browser is
// given it where it has another one, or none.
func (r *TokenResponse) keepInCookie(m mint) {
	r.RefreshToken = ""
	if m.refresh != "" && m.refresh != m.presented {
		r.Cookie = &RefreshCookie{Value: m.refresh, Expires: m.refreshEnds}
	}
}
