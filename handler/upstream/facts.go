package upstream

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// facts are what a provider says of one person.
type facts struct {
	token map[string]any // claims of the ID token; nil for none
	info  map[string]any // of userinfo, which only add; nil for none
	// infoErr is why userinfo, which there is, was not had, or not all of it.
	infoErr error
	// groupsUnknown says that the provider has not told them, beyond what is in the claims.
	groupsUnknown bool
}

// none reports whether there are no claims at all.
func (f *facts) none() bool { return f.token == nil && f.info == nil }

// infoLost reports whether there is a userinfo of which nothing was had.
func (f *facts) infoLost() bool { return f.infoErr != nil && f.info == nil }

// get finds a claim by its name or path: that of the ID token counts.
func (f *facts) get(path string) (any, bool) {
	if value, ok := lookUp(f.token, path); ok {
		return value, true
	}
	return lookUp(f.info, path)
}

// text finds a claim that is a text.
func (f *facts) text(path string) string {
	value, _ := f.get(path)
	return textOf(value)
}

// lookUp finds a member by its name, which may have dots in it, or else by a path of
// names with dots between (F34). In a path `\.` is a dot of a name. Null is as absent.
func lookUp(object map[string]any, path string) (any, bool) {
	if value, ok := object[path]; ok {
		return value, value != nil
	}
	names := splitPath(path)
	for i, name := range names {
		value, ok := object[name]
		if !ok || value == nil {
			return nil, false
		}
		if i == len(names)-1 {
			return value, true
		}
		if object, ok = value.(map[string]any); !ok {
			return nil, false
		}
	}
	return nil, false
}

func splitPath(path string) (names []string) {
	var name strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path) && path[i+1] == '.':
			i++
			name.WriteByte('.')
		case path[i] == '.':
			names = append(names, name.String())
			name.Reset()
		default:
			name.WriteByte(path[i])
		}
	}
	return append(names, name.String())
}

// idOf returns the ID of a person: the texts of the subject claims, joined by a dot, of
// which only the last may have dots of its own.
func (c *Config) idOf(f *facts) (string, error) {
	texts := make([]string, len(c.Subject))
	for i, claim := range c.Subject {
		texts[i] = f.text(claim)
		if texts[i] == "" || i < len(c.Subject)-1 && strings.Contains(texts[i], ".") {
			return "", forged(reasonSubject, "reading claims: %s, which `subject` names, is no text, or is empty", claim)
		}
	}
	id := strings.Join(texts, ".")
	if !goodID(id) {
		return "", forged(reasonSubject, "reading claims: the subject is no text of 1 to %d bytes without controls", maxSubject)
	}
	return id, nil
}

// lacks reports whether something that the configuration needs is not among the facts.
func (c *Config) lacks(f *facts) bool {
	if _, err := c.idOf(f); err != nil {
		return true
	}
	needed := slices.Collect(maps.Values(c.Claims))
	for _, rule := range c.Allow {
		switch rule.Kind {
		case AllowEmail, AllowEmailDomain, AllowEmailVerified:
			if !c.emailOf(f).said {
				return true
			}
		case AllowClaim:
			needed = append(needed, rule.Claim)
		case AllowGroup:
			if groups := c.groups(f); f.infoLost() && !slices.ContainsFunc(rule.Values, func(group string) bool { return slices.Contains(groups, group) }) {
				return true
			}
		case AllowAnyone, AllowSubject:
		}
	}
	return slices.ContainsFunc(needed, func(claim string) bool {
		_, ok := f.get(claim)
		return !ok
	})
}

// trouble is that userinfo was not had and is needed; nil for none (F29).
func (c *Config) trouble(f *facts) error {
	if f.infoErr == nil || !c.lacks(f) {
		return nil
	}
	return failed(login.FailedDown, reasonUserinfo, f.infoErr)
}
