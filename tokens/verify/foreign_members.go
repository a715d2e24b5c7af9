package verify

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/jose"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

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
func (m *foreignMembers) first(names []string) string {
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
