package verify

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// clientClaims are where issuers name the client, in the order in which they
// are asked: RFC 9068, Auth0 and Keycloak and Entra (v2), Okta, Entra (v1).
var clientClaims = []string{"client_id", "azp", "cid", "appid"}

// ownForeignClaims are the claims that the check itself reads, which no
// configuration can leave out.
var ownForeignClaims = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope", "client_id"}

// issuerOf reads the issuer that a payload claims, and holds all of it to the
// bounds of parseClaims, but for the number of members.
func issuerOf(payload []byte, maxMembers int) (issuer string, err error) {
	r, err := jose.ReadJSON(payload)
	if err != nil {
		return "", jose.ErrMalformed
	}
	defer r.Close()
	r.MaxMembers = maxMembers
	for {
		name, err := r.Next()
		if err != nil {
			return "", unreadable(err, jose.ErrMalformed)
		}
		if name == nil {
			break
		}
		if string(name) != "iss" {
			if err := r.Skip(); err != nil {
				return "", unreadable(err, errClaim)
			}
			continue
		}
		if issuer, err = r.String(); err != nil {
			return "", errClaim
		}
	}
	if r.End() != nil {
		return "", jose.ErrMalformed
	}
	return issuer, nil
}

// readClaims reads the payload of a token whose signature is good. What Lookup
// then finds under sub, scope and client_id is what was made of them here.
func (f *Foreign) readClaims(payload []byte, typed bool) (*Claims, error) {
	r, err := jose.ReadJSON(payload)
	if err != nil {
		return nil, jose.ErrMalformed
	}
	defer r.Close()
	r.MaxMembers = f.cfg.MaxTokenMembers
	members, err := r.Object()
	if err != nil {
		return nil, unreadable(err, jose.ErrMalformed)
	}
	switch {
	case typed: // RFC 9068 §4: the type decides
	case otherToken(members):
		return nil, errOtherToken
	case !f.cfg.AcceptIDTokens && idToken(members):
		return nil, errIDToken
	}
	m := foreignMembers{members: members, maxList: f.cfg.MaxTokenMembers}
	c := &Claims{
		raw:          r.Text,
		memory:       r.Memory(),
		Issuer:       m.text("iss"),
		Subject:      m.first(f.cfg.SubjectClaims),
		Audience:     m.audience(f.cfg.AudienceClaims),
		ClientID:     m.first(clientClaims),
		Scope:        m.scope(f.cfg.ScopeClaims),
		ID:           m.text("jti"),
		Expiry:       m.needed("exp"),
		Token:        denylist.Token{IssuedAt: m.needed("iat")},
		NotBefore:    m.date("nbf"),
		Confirmation: m.confirmation(),
	}
	if len(f.cfg.Claims) > 0 {
		maps.DeleteFunc(members, func(name string, _ any) bool {
			return !slices.Contains(ownForeignClaims, name) && !slices.Contains(f.cfg.Claims, name)
		})
	}
	c.AuthTime, c.ACR, c.SessionID = m.date("auth_time"), m.text("acr"), m.text("sid")
	if m.bad {
		return nil, errClaim
	}
	m.put("sub", c.Subject)
	m.put("client_id", c.ClientID)
	m.put("scope", strings.Join(c.Scope, " "))
	// Tags of their own kind: nobody of another issuer is ever one of our users.
	c.User, c.Client = storage.TagSubject(qualified(c.Issuer, c.Subject)), storage.TagClient(qualified(c.Issuer, c.ClientID))
	c.members = members
	c.once.Do(func() {}) // they are read
	return c, nil
}

// qualified joins an issuer and a name of its own. Issuers have no "|", and none is
// the name of a login, with which our own subjects begin: no two pairs are one text.
func qualified(issuer, name string) string { return issuer + "|" + name }
