package verify

import (
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
			return "", jose.ErrMalformed
		}
		if name == nil {
			break
		}
		if string(name) != "iss" {
			if r.Skip() != nil {
				return "", errClaim
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
		return nil, jose.ErrMalformed
	}
	if !typed && (otherToken(members) || !f.cfg.AcceptIDTokens && idToken(members)) {
		return nil, errWrongType
	}
	m := foreignMembers{members: members, maxList: f.cfg.MaxTokenMembers}
	c := &Claims{
		raw:          r.Text,
		memory:       r.Memory(),
		Issuer:       m.text("iss"),
		Subject:      m.first(f.cfg.SubjectClaims, "sub"),
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

// otherToken finds the marks of tokens that nobody presents to an API, where the
// type does not tell. See RFC 8725 §3.12.
func otherToken(members map[string]any) bool {
	_, method := members["htm"]
	_, address := members["htu"]
	if method && address { // a DPoP proof (RFC 9449 §4.2)
		return true
	}
	if events, ok := members["events"].(map[string]any); ok && isEvents(events) {
		return true
	}
	switch members["typ"] { // of Keycloak
	case "Refresh", "Offline", "Logout":
		return true
	}
	return false
}

// isEvents reports whether an `events` claim is that of a security event, a logout
// token among them: an object whose members are named by URIs. See RFC 8417 §2.2.
func isEvents(events map[string]any) bool {
	for name := range events {
		if !strings.Contains(name, ":") {
			return false
		}
	}
	return true
}

// idToken finds the marks of ID tokens. Some issuers put them into access tokens: a
// nonce (authentik), at_hash (Dex). See OpenID Connect Core §2.
func idToken(members map[string]any) bool {
	if members["token_use"] == "id" { // of Cognito
		return true
	}
	switch members["typ"] { // of Keycloak
	case "ID":
		return true
	case "Bearer":
		return false
	}
	for _, mark := range []string{"nonce", "at_hash", "c_hash", "s_hash"} {
		if _, ok := members[mark].(string); ok {
			return true
		}
	}
	return false
}

// foreignMembers reads claims by type. An optional claim of another type says
// nothing (RFC 7519 §4): a rule that needs it fails. Those that bound a token, exp,
// iat and cnf, make it bad.
type foreignMembers struct {
	members map[string]any
	maxList int // how many values a list may have
	bad     bool
}

// text returns a text, "" for none.
func (m *foreignMembers) text(name string) string {
	text, _ := m.members[name].(string)
	return text
}

// first returns the first of the claims that is a text, "" for none.
func (m *foreignMembers) first(names []string, otherwise ...string) string {
	if len(names) == 0 {
		names = otherwise
	}
	for _, name := range names {
		value, _ := lookup(m.members, name)
		if text, ok := value.(string); ok && text != "" {
			return text
		}
	}
	return ""
}

// date returns a time, zero for none.
func (m *foreignMembers) date(name string) time.Time {
	number, ok := m.members[name].(json.Number)
	if !ok {
		return time.Time{}
	}
	t, err := jose.ParseNumericDate(number.String())
	if err != nil {
		return time.Time{}
	}
	return t
}

// needed returns a time that has to be there.
func (m *foreignMembers) needed(name string) time.Time {
	t := m.date(name)
	m.bad = m.bad || t.IsZero()
	return t
}

// audience returns the values of the first of the claims that has any.
func (m *foreignMembers) audience(names []string) []string {
	if len(names) == 0 {
		names = []string{"aud"}
	}
	for _, name := range names {
		if values := m.list(name); len(values) > 0 {
			return values
		}
	}
	return nil
}

// list reads a text or a list of texts. One that holds anything else, or too much,
// says nothing.
func (m *foreignMembers) list(path string) []string {
	v, _ := lookup(m.members, path)
	if s, ok := v.(string); ok {
		return []string{s}
	}
	values, _ := v.([]any)
	if len(values) > m.maxList {
		return nil
	}
	texts := make([]string, 0, len(values))
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		texts = append(texts, s)
	}
	return texts
}

// scope reads the claims that hold the scope. Texts have spaces (RFC 6749 §3.3);
// a list is taken where its claim is named, and from scp, which has no meaning
// but that of each issuer. An element of a list is one word: what is no scope, such
// as the name of a group with a space in it, is left out, since in the scope
// of the token, as rules and upstreams read it, it would be several.
func (m *foreignMembers) scope(names []string) []string {
	if len(names) == 0 {
		if text, ok := m.members["scope"].(string); ok {
			return strings.FieldsFunc(text, isSpace)
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
