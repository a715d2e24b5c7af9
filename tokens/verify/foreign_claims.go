package verify

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/denylist"
	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// clientClaims are where issuers name the client, in the order in which they
// are asked: RFC 9068, Auth0 and Keycloak and Entra (v2), Okta, Entra (v1).
var clientClaims = []string{"client_id", "azp", "cid", "appid"}

// ownForeignClaims are the claims that the check itself reads, which no
// configuration can leave out.
var ownForeignClaims = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope", "client_id"}

// issuerOf reads the issuer that a payload claims, and holds all of it to the
// bounds of parseClaims.
func issuerOf(payload []byte) (issuer string, err error) {
	r, err := jose.ReadJSON(payload)
	if err != nil {
		return "", jose.ErrMalformed
	}
	defer r.Close()
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
	members, err := r.Object()
	if err != nil {
		return nil, jose.ErrMalformed
	}
	if !typed && otherToken(members) {
		return nil, errWrongType
	}
	m := foreignMembers{members: members}
	c := &Claims{
		raw:          r.Text,
		memory:       r.Memory(),
		Issuer:       m.text("iss"),
		Subject:      m.text(cmp.Or(f.cfg.SubjectClaim, "sub")),
		Audience:     m.list("aud"),
		ClientID:     m.client(),
		Scope:        m.scope(f.cfg.ScopeClaims),
		ID:           m.text("jti"),
		Expiry:       m.date("exp"),
		Token:        denylist.Token{IssuedAt: m.date("iat")},
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

// qualified joins an issuer and a name of its own. Issuers are URLs without
// "|", our own subjects never begin with a URL: no two pairs are one text.
func qualified(issuer, name string) string { return issuer + "|" + name }

// otherToken finds the marks of tokens that are not access tokens, where the
// type does not tell. See RFC 8725 §3.12.
func otherToken(members map[string]any) bool {
	for _, mark := range []string{"at_hash", "c_hash", "s_hash", "events", "htm", "htu"} { // ID and logout tokens, DPoP proofs
		if _, ok := members[mark]; ok {
			return true
		}
	}
	if members["token_use"] == "id" { // Cognito
		return true
	}
	kind, _ := members["typ"].(string) // Keycloak, whose access tokens may have a nonce
	switch kind {
	case "ID", "Refresh", "Offline", "Logout":
		return true
	case "Bearer":
		return false
	}
	_, nonce := members["nonce"]
	return nonce
}

// foreignMembers reads claims by type. As in parseClaims, one that is there
// and cannot be understood is an error, never absent.
type foreignMembers struct {
	members map[string]any
	bad     bool
}

func (m *foreignMembers) text(name string) string {
	v, ok := m.members[name]
	if !ok {
		return ""
	}
	s, ok := v.(string)
	m.bad = m.bad || !ok
	return s
}

func (m *foreignMembers) date(name string) time.Time {
	v, ok := m.members[name]
	if !ok {
		return time.Time{}
	}
	n, ok := v.(json.Number)
	if !ok {
		m.bad = true
		return time.Time{}
	}
	t, err := jose.ParseNumericDate(n.String())
	m.bad = m.bad || err != nil
	return t
}

// list reads a text or a list of texts.
func (m *foreignMembers) list(path string) []string {
	v, ok := lookup(m.members, path)
	if !ok {
		return nil
	}
	if s, ok := v.(string); ok {
		return []string{s}
	}
	values, ok := v.([]any)
	if !ok || len(values) > maxAudiences {
		m.bad = true
		return nil
	}
	texts := make([]string, 0, len(values))
	for _, v := range values {
		s, ok := v.(string)
		m.bad = m.bad || !ok
		texts = append(texts, s)
	}
	return texts
}

func (m *foreignMembers) client() string {
	for _, name := range clientClaims {
		if client := m.text(name); client != "" {
			return client
		}
	}
	return ""
}

// scope reads the claims that hold the scope. Texts have spaces (RFC 6749 §3.3);
// a list is taken where its claim is named, and from scp, which has no meaning
// but that of each issuer. An element of a list is one word: what is no scope, such
// as the name of a group with a space in it, is left out, since in the scope
// of the token, as rules and upstreams read it, it would be several.
func (m *foreignMembers) scope(names []string) []string {
	if len(names) == 0 {
		if _, ok := m.members["scope"]; ok {
			return strings.FieldsFunc(m.text("scope"), isSpace)
		}
		names = []string{"scp"}
	}
	var scope []string
	for _, name := range names {
		values := m.list(name)
		if v, _ := lookup(m.members, name); len(values) == 1 && !namesOthers(name) {
			if text, ok := v.(string); ok {
				values = strings.FieldsFunc(text, isSpace)
			}
		}
		for _, value := range values {
			if oauth.ValidScope(value) {
				scope = append(scope, value)
			}
		}
	}
	return scope
}

// namesOthers reports whether a claim holds names that are given elsewhere, each
// of which may have spaces: AD FS and others write a list of one as a text. See
// RFC 9068 §2.2.3.1.
func namesOthers(claim string) bool {
	return strings.HasSuffix(claim, "roles") || strings.HasSuffix(claim, "groups") || strings.HasSuffix(claim, "entitlements")
}

// put replaces a claim by what was made of it, "" by nothing.
func (m *foreignMembers) put(name, value string) {
	if value == "" {
		delete(m.members, name)
		return
	}
	m.members[name] = value
}

// confirmation reads cnf, as jose.ReadConfirmation does.
func (m *foreignMembers) confirmation() *jose.Confirmation {
	v, ok := m.members["cnf"]
	if !ok {
		return nil
	}
	members, _ := v.(map[string]any)
	c := new(jose.Confirmation)
	for name, value := range members {
		text, _ := value.(string)
		m.bad = c.Set(name, text) != nil || m.bad
	}
	m.bad = m.bad || !c.Bound()
	return c
}
